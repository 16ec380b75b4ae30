#!/bin/sh
# get-micropython.sh [ARCH...]   a private MicroPython (unix port) for each ARCH in .cache/micropython-ARCH/
#
# ARCH is native (the default) or a Debian architecture this machine can run; i386 has 32-bit integers like an
# ESP32-S3 and finds bugs that amd64 hides. The packages come from a newer Debian suite, verified by apt against
# the Debian archive keyring, together with the C library they need; nothing outside .cache is touched and no
# root is needed. A second run finds its stamp and says nothing.
#
# Exit status: 0 all there; 3 not to be had here (no Debian tools, no network, no such version): the text on
# standard error says why, and callers go on without it. Environment: DEBIAN_MIRROR, MICROPYTHON_SUITES.
set -eu

MIN=1.25 BELOW=1.30                                  # versions that the tests are known to hold for
SUITES=${MICROPYTHON_SUITES:-"trixie sid"}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
cd "$(dirname "$0")/.."
mkdir -p .cache
CACHE=$(pwd)/.cache
SCRATCH=

unavailable() {
    echo "get-micropython: $*" >&2
    echo "get-micropython: tests and demo use CPython instead, or a 'micropython' found on PATH" >&2
    exit 3
}

cleanup() { [ -z "$SCRATCH" ] || rm -rf "$SCRATCH"; }
trap cleanup EXIT
trap 'exit 130' INT TERM

apt_for() { # SUITE ARCH: writes the options of an apt that lives in $SCRATCH alone
    mkdir -p "$SCRATCH/lists/partial" "$SCRATCH/cache/archives/partial" "$SCRATCH/sources"
    : > "$SCRATCH/status"
    cat > "$SCRATCH/sources/debian.sources" <<END
Types: deb
URIs: $MIRROR
Suites: $1
Components: main
Signed-By: $KEYRING
END
    APT="-qq -o Dir::State=$SCRATCH -o Dir::State::status=$SCRATCH/status -o Dir::State::lists=$SCRATCH/lists
        -o Dir::Cache=$SCRATCH/cache -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=$SCRATCH/sources
        -o APT::Architecture=$2 -o APT::Architectures=$2 -o APT::Install-Recommends=0
        -o Acquire::Languages=none -o APT::Sandbox::User= -o Acquire::Retries=2 -o Acquire::http::Timeout=30"
}

version_of() { apt-cache $APT policy micropython | sed -n 's/ *Candidate: *\([^ ]*\).*/\1/p'; }

in_range() {
    dpkg --compare-versions "$1" ge "$MIN" && dpkg --compare-versions "$1" lt "$BELOW"
}

unpack() { # ARCH DEST: the downloaded packages, without what the interpreter never reads
    for deb in "$SCRATCH"/debs/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$2/root" --exclude='./usr/share' --exclude='./etc' --exclude='./var'
    done
    # usrmerge: older packages still carry /lib
    for old in "$2"/root/lib*; do
        [ -d "$old" ] && [ ! -L "$old" ] || continue
        mkdir -p "$2/root/usr/${old##*/}"
        cp -a "$old/." "$2/root/usr/${old##*/}/"
        rm -rf "$old"
    done
    find "$2/root/usr" \( -name gconv -o -name audit -o -name '*.a' -o -name '*.o' \) -prune -exec rm -rf {} +
}

install_one() { # ARCH
    arch=$1
    dest=$CACHE/micropython-$arch
    if [ -e "$dest/stamp" ]; then
        in_range "$(cut -d' ' -f3 "$dest/stamp")" && return 0
    fi
    echo "get-micropython: fetching MicroPython for $arch" >&2
    version=
    for suite in $SUITES; do
        cleanup
        SCRATCH=$(mktemp -d)
        apt_for "$suite" "$arch"
        apt-get $APT update >"$SCRATCH/log" 2>&1 || { tail -3 "$SCRATCH/log" >&2; continue; }
        version=$(version_of)
        [ -n "$version" ] && [ "$version" != "(none)" ] && in_range "$version" && break
        echo "get-micropython: $suite has '$version', wanted >= $MIN and < $BELOW" >&2
        version=
    done
    [ -n "$version" ] || unavailable "no MicroPython for $arch in suites: $SUITES at $MIRROR"
    packages=$(apt-get $APT -s install micropython | sed -n 's/^Inst \([^ ]*\) .*/\1/p' | grep -v '^gcc-.*-base')
    mkdir -p "$SCRATCH/debs" "$SCRATCH/new/root" "$SCRATCH/new/bin"
    (cd "$SCRATCH/debs" && apt-get $APT download $packages >>"$SCRATCH/log" 2>&1) ||
        unavailable "download failed: $(tail -1 "$SCRATCH/log")"
    unpack "$arch" "$SCRATCH/new"
    loader=$(cd "$SCRATCH/new" && find root/usr -name 'ld-linux*.so*' | head -1)
    [ -n "$loader" ] && [ -x "$SCRATCH/new/root/usr/bin/micropython" ] ||
        unavailable "the packages of $version for $arch lack a loader or the interpreter"
    libraries=$(cd "$SCRATCH/new" && find root/usr/lib* -type d -name '*-linux-gnu*' | tr '\n' ':')
    cat > "$SCRATCH/new/bin/micropython" <<END
#!/bin/sh
here=\${0%/*}/..
exec "\$here/$loader" --inhibit-cache --library-path "$(echo "$libraries" | sed 's#root/#$here/root/#g; s#:$##')" "\$here/root/usr/bin/micropython" "\$@"
END
    chmod +x "$SCRATCH/new/bin/micropython"
    said=$("$SCRATCH/new/bin/micropython" -c 'import sys; print(sys.implementation[0], sys.maxsize)') ||
        unavailable "this machine cannot run $arch programs"
    echo "$suite $arch $version ${said#* }" > "$SCRATCH/new/stamp"
    rm -rf "$dest"
    mv "$SCRATCH/new" "$dest"
    echo "get-micropython: $version for $arch in .cache/micropython-$arch" >&2
}

[ $# -gt 0 ] || set -- native
have_all=1
for arch in "$@"; do
    [ "$arch" != native ] || arch=$(dpkg --print-architecture 2>/dev/null || echo none)
    [ -e "$CACHE/micropython-$arch/stamp" ] || have_all=
done
if [ -z "$have_all" ]; then
    for tool in apt-get apt-cache dpkg dpkg-deb; do
        command -v $tool >/dev/null || unavailable "no $tool here (on macOS: brew install micropython)"
    done
    [ -r $KEYRING ] || unavailable "no $KEYRING (try: apt install micropython, or apt install debian-archive-keyring)"
fi
MIRROR=${DEBIAN_MIRROR:-$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1)}
# Older installations name it in sources.list, in lines of another form.
MIRROR=${MIRROR:-$(sed -n 's/^deb  *\(\[[^]]*\] *\)\{0,1\}\(http[^ ]*\) .*/\2/p' /etc/apt/sources.list 2>/dev/null | head -1)}
[ -n "$have_all" ] || [ -n "$MIRROR" ] || unavailable "no Debian mirror in apt's sources: name one in DEBIAN_MIRROR"
for arch in "$@"; do
    [ "$arch" != native ] || arch=$(dpkg --print-architecture)
    case $arch in *[!a-z0-9]*|'') unavailable "'$arch' is not an architecture" ;; esac
    install_one "$arch"
done
