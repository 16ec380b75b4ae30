#!/bin/sh
# get-bare-rust.sh [TARGET...]   a Rust compiler with `core` and `alloc` for chips; prints how to use it
#
#   settings=$(sh scripts/get-bare-rust.sh) && eval "$settings"     # exports the three below
#   cargo build --release --target riscv32imc-unknown-none-elf      # with a CARGO_TARGET_DIR of its own
#
# RUSTC            the compiler; cargo takes it from there. It finds rust-lld, the linker of these targets, by itself.
# BARE_RUST_FROM   "rustup 1.95.0" or "debian 1.96.0"
# BARE_RUST_SRC    the sources of core and alloc that belong to this compiler; empty where there are none
#
# TARGET: riscv32imc, riscv32imac, riscv32imafc (each -unknown-none-elf) or thumbv7em-none-eabihf; none: all four.
# rustup's targets are taken where they are installed (`rustup target add TARGET`, the usual way). Otherwise the compiler
# and its sources come from Debian packages, verified by apt, and the libraries are built from them into
# .cache/bare-rust, which takes a minute or two and 1 GB; nothing outside .cache is touched and no root is needed. A second run finds
# its stamp and only prints. An interrupted one leaves nothing behind; of two at a time, one waits for the other.
#
# Exit status: 0 there it is; 3 not to be had here, callers go on without; 1 it broke. Standard error says why.
# Environment: BARE_RUST=rustup or BARE_RUST=debian takes that one only; CARGO names another cargo.
set -eu

MIN=1.95                 # rust-version of firmware_rs
RECIPE=1                 # counted up when what this script makes changes: older results are made anew
KNOWN="riscv32imc-unknown-none-elf riscv32imac-unknown-none-elf riscv32imafc-unknown-none-elf thumbv7em-none-eabihf"
CARGO=${CARGO:-cargo}
cd "$(dirname "$0")/.."
mkdir -p .cache
CACHE=$(pwd)/.cache
HOME_OF=$CACHE/bare-rust
SOURCES=usr/lib/rustlib/src/rust/library
SCRATCH=

unavailable() {
    echo "get-bare-rust: $*" >&2
    echo "get-bare-rust: with rustup:  rustup target add $TARGETS" >&2
    exit 3
}

cleanup() { [ -z "$SCRATCH" ] || rm -rf "$SCRATCH"; }
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

at_least() { # VERSION MINIMUM, as numbers of two parts
    [ "${1%%.*}" -gt "${2%%.*}" ] && return 0
    major=${1%%.*} rest=${1#*.}
    [ "$major" -eq "${2%%.*}" ] && [ "${rest%%.*}" -ge "${2#*.}" ]
}

settings() { # FROM RUSTC SOURCES
    printf "export BARE_RUST_FROM='%s'\nexport RUSTC='%s'\nexport BARE_RUST_SRC='%s'\n" "$1" "$2" "$3"
}

from_rustup() { # prints the settings when all targets are installed for a compiler that is new enough
    command -v rustup >/dev/null || return 1
    installed=$(rustup target list --installed 2>/dev/null) || return 1
    for target in $TARGETS; do
        printf '%s\n' "$installed" | grep -qx "$target" || return 1
    done
    rustc=$(rustup which rustc 2>/dev/null) || return 1
    version=$("$rustc" -V | cut -d' ' -f2)
    at_least "$version" $MIN || { echo "get-bare-rust: rustup's $version is older than $MIN" >&2; return 1; }
    sources=$("$rustc" --print sysroot)/lib/rustlib/src/rust/library
    [ -d "$sources" ] || sources=
    settings "rustup $version" "$rustc" "$sources"
}

usable() { # the stamp is of this recipe, of a compiler that is new enough, and of all targets
    [ -e "$HOME_OF/stamp" ] || return 1
    read -r recipe version targets <"$HOME_OF/stamp" || return 1
    [ "$recipe" = "$RECIPE" ] && at_least "$version" $MIN || return 1
    for target in $TARGETS; do
        case " $targets " in *" $target "*) ;; *) return 1 ;; esac
    done
    # The linker may be one of rustup's toolchains, which come and go.
    for linker in "$HOME_OF"/usr/lib/rustlib/*/bin/rust-lld; do
        [ -x "$linker" ] || return 1
    done
}

print_debian() {
    read -r _ version _ <"$HOME_OF/stamp"
    settings "debian $version" "$HOME_OF/bin/rustc" "$HOME_OF/$SOURCES"
}

candidate() { # PACKAGE: the version apt would take, by the lists that $APT reads
    apt-cache $APT policy "$1" | sed -n 's/ *Candidate: *\([0-9][^ ]*\).*/\1/p'
}

find_packages() { # sets APT, DEB and VERSION: by the machine's lists, or by fresh ones in $SCRATCH
    APT="-qq -o APT::Sandbox::User= -o Acquire::Retries=2 -o Acquire::http::Timeout=30"
    DEB=$(candidate rustc-web)
    if [ -z "$DEB" ] || ! at_least "$DEB" $MIN || [ "$(candidate rust-web-src)" != "$DEB" ]; then
        mkdir -p "$SCRATCH/lists/partial" "$SCRATCH/archives/partial"
        APT="$APT -o Dir::State::lists=$SCRATCH/lists -o Dir::Cache=$SCRATCH -o Acquire::Languages=none"
        apt-get $APT update >"$SCRATCH/log" 2>&1 || unavailable "apt's lists: $(tail -n 1 "$SCRATCH/log")"
        DEB=$(candidate rustc-web)
    fi
    [ -n "$DEB" ] || unavailable "apt's sources have no rustc-web (Debian's, and its security suite, have it)"
    at_least "$DEB" $MIN || unavailable "apt's rustc-web is $DEB, and $MIN or newer is needed"
    VERSION=${DEB%%+*}
    VERSION=${VERSION%%-*}
}

download() { # the compiler, its own libraries and sources, all of one version, into $SCRATCH/debs
    driver=libstd-rust-web-$(echo "$VERSION" | cut -d. -f1,2)
    llvm=$(apt-cache $APT show "$driver=$DEB" | sed -n 's/^Depends: .*\(libllvm[0-9]*\).*/\1/p' | head -n 1)
    [ -n "$llvm" ] || unavailable "apt has no $driver $DEB that names its libllvm"
    mkdir -p "$SCRATCH/debs"
    (cd "$SCRATCH/debs" && apt-get $APT download "rustc-web=$DEB" "$driver=$DEB" "libstd-rust-web-dev=$DEB" \
        "rust-web-src=$DEB" "$llvm" >"$SCRATCH/log" 2>&1) || unavailable "download: $(tail -n 1 "$SCRATCH/log")"
}

unpack() { # into $NEW, where bin/rustc finds its private libraries
    for deb in "$SCRATCH"/debs/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$NEW" --no-wildcards-match-slash --exclude='./usr/share' \
            --exclude='./usr/src/*/compiler' --exclude='./usr/src/*/src' --exclude='./usr/src/*/tests' \
            --exclude='./usr/src/*/vendor'
        rm -f "$deb"
    done
    [ -f "$NEW/$SOURCES/Cargo.lock" ] || unavailable "rust-web-src $DEB has no sources in $SOURCES"
    libraries=$(cd "$NEW" && dirname usr/lib/*/librustc_driver-*.so)
    mkdir -p "$NEW/bin"
    cat >"$NEW/bin/rustc" <<END
#!/bin/sh
here=\$(cd "\${0%/*}/.." && pwd)
export LD_LIBRARY_PATH="\$here/$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
exec "\$here/usr/bin/rustc" "\$@"
END
    chmod +x "$NEW/bin/rustc"
    said=$("$NEW/bin/rustc" -vV 2>"$SCRATCH/log") ||
        unavailable "Debian's rustc $VERSION does not run here: $(tail -n 1 "$SCRATCH/log")"
    case $said in
        "rustc $VERSION "*) ;;
        *) unavailable "the package of $VERSION holds $(printf '%s\n' "$said" | head -n 1)" ;;
    esac
    HOST=$(printf '%s\n' "$said" | sed -n 's/^host: //p')
}

take_linker() { # the packages have no rust-lld; the one of cargo's own toolchain, or an lld, stands in
    mkdir -p "$NEW/usr/lib/rustlib/$HOST/bin"
    linker=$(rustc --print sysroot 2>/dev/null || true)/lib/rustlib/$HOST/bin/rust-lld
    if [ -x "$linker" ]; then
        ln -s "$linker" "$NEW/usr/lib/rustlib/$HOST/bin/rust-lld"
        return
    fi
    linker=$(command -v ld.lld || true)
    [ -n "$linker" ] || unavailable "no linker for chips: neither rust-lld (comes with rustup) nor ld.lld (package lld)"
    # rustc calls it as `rust-lld -flavor gnu ...`; ld.lld has its flavor by its name.
    printf '#!/bin/sh\nshift 2\nexec "%s" "$@"\n' "$linker" >"$NEW/usr/lib/rustlib/$HOST/bin/rust-lld"
    chmod +x "$NEW/usr/lib/rustlib/$HOST/bin/rust-lld"
}

build_libraries() { # core, alloc and compiler_builtins of each target, from the packaged sources, offline
    seed=$SCRATCH/seed
    mkdir -p "$seed/src"
    echo '#![no_std]' >"$seed/src/lib.rs"
    cat >"$seed/Cargo.toml" <<END
[package]
name = "seed"
edition = "2024"
[profile.release]
panic = "abort"
debug = 0
[workspace]
END
    cat >"$seed/vendored.toml" <<END
[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "$NEW/$SOURCES/vendor"
END
    flags=
    for target in $TARGETS; do
        flags="$flags --target $target"
    done
    # With embedded bitcode, programs may ask for link-time optimisation across core.
    (cd "$seed" && unset CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET RUSTC_WRAPPER &&
        RUSTC="$NEW/bin/rustc" RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes CARGO_TARGET_DIR="$seed/target" \
            "$CARGO" build -q --config vendored.toml --offline --release -Zbuild-std=core,alloc $flags) \
        >"$SCRATCH/log" 2>&1 || {
        tail -n 20 "$SCRATCH/log" >&2
        echo "get-bare-rust: cargo $has could not build core with Debian's rustc $VERSION" >&2
        exit 1
    }
    for target in $TARGETS; do
        place=$NEW/usr/lib/rustlib/$target/lib
        mkdir -p "$place"
        for crate in core alloc compiler_builtins; do
            cp "$seed/target/$target/release/deps/lib$crate"-*.rlib "$place/"
        done
    done
}

from_debian() {
    for tool in apt-get apt-cache dpkg-deb; do
        command -v $tool >/dev/null || unavailable "these targets are not installed and there is no $tool here"
    done
    command -v "$CARGO" >/dev/null || unavailable "no cargo here"
    has=$("$CARGO" -V | cut -d' ' -f2)
    at_least "$has" $MIN || unavailable "cargo is $has, and $MIN or newer is needed"
    began=$(date +%s)
    # Beside its final place, so that the last step is a rename and paths in it are short and relative.
    SCRATCH=$(mktemp -d "$CACHE/bare-rust.XXXXXX")
    NEW=$SCRATCH/new
    mkdir "$NEW"
    find_packages
    echo "get-bare-rust: making Debian's Rust $VERSION able to compile for $TARGETS (1 to 3 minutes)" >&2
    download
    unpack
    take_linker
    build_libraries
    echo "$RECIPE $VERSION $TARGETS" >"$NEW/stamp"
    rm -rf "$HOME_OF"
    mv "$NEW" "$HOME_OF"
    echo "get-bare-rust: Rust $VERSION for bare metal in .cache/bare-rust, in $(($(date +%s) - began)) s" >&2
}

TARGETS=${*:-$KNOWN}
for target in $TARGETS; do
    case " $KNOWN " in
        *" $target "*) ;;
        *) echo "get-bare-rust: '$target' is none of: $KNOWN" >&2; exit 2 ;;
    esac
done
case ${BARE_RUST:-} in
    '') from_rustup && exit ;;
    rustup) from_rustup && exit || unavailable "rustup does not have these targets at $MIN or newer" ;;
    debian) ;;
    *) echo "get-bare-rust: BARE_RUST is '$BARE_RUST', and may be rustup or debian" >&2; exit 2 ;;
esac
if ! usable; then
    if command -v flock >/dev/null; then
        exec 9>"$CACHE/bare-rust.lock"
        flock 9
        rm -rf "$CACHE"/bare-rust.??????     # of one that was killed; ".lock" is shorter
    fi
    TARGETS=$KNOWN                       # always all: the next caller may want another
    usable || from_debian
fi
print_debian
