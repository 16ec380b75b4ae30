#!/bin/sh
# build-native.sh   minerva_native, the firmware's features as a Python module, into .venv; prints where it is
#
# Built by maturin, one of the tools of development, with cargo into .cache/minerva-native: a minute the first time; as
# long as nothing that it is made of changes, later runs only print. The hub runs without it: parity tests need
# it, and say so when they skip; `minerva bench gate` and `minerva bench mel` fail without it.
#
# Exit status: 0 there it is, or it is not to be had here (no cargo, too old a one, no network for its crates, no
# maturin), which standard error says, and nothing is printed; 1 it does not compile.
# Environment: CARGO and VENV name another cargo and virtual environment; RUSTFLAGS other flags than those below.
set -eu

MIN=1.95                 # rust-version of firmware_rs
CARGO=${CARGO:-cargo}
cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}
TARGET=$(pwd)/.cache/minerva-native

say() { echo "build-native: $*" >&2; }
unavailable() { say "minerva_native is not built; tests that need it are skipped, benches of it fail: $*"; exit 0; }

[ -f firmware_rs/Cargo.toml ] || unavailable 'firmware_rs/ is not here'
[ -x "$VENV/bin/python" ] || unavailable "there is no $VENV"
[ -x "$VENV/bin/maturin" ] || unavailable "maturin is not in $VENV"
find_module() {
    "$VENV/bin/python" -c 'import importlib.util as u; s = u.find_spec("minerva_native.minerva_native"); print(s.origin if s else "")' 2> /dev/null || true
}

sources='scripts/build-native.sh firmware_rs/Cargo.toml firmware_rs/Cargo.lock firmware_rs/crates/dsp firmware_rs/crates/py'
module=$(find_module)
# shellcheck disable=SC2086 # several words on purpose
if [ -n "$module" ] && [ -z "$(find $sources -type f -newer "$module" | head -n 1)" ]; then
    echo "$module"
    exit 0
fi

version=$("$CARGO" --version 2> /dev/null) || unavailable "no cargo that runs here (Rust $MIN or newer: https://rustup.rs)"
version=${version#cargo }
case $(printf '%s\n%s\n' "$MIN" "${version%% *}" | sort -t . -k 1,1n -k 2,2n | head -n 1) in
"$MIN") ;;
*) unavailable "cargo ${version%% *} is too old: Rust $MIN or newer is needed" ;;
esac

# What is fetched already needs no network. maturin reads the whole workspace, so all of its crates must be there.
crates() { (cd firmware_rs && CARGO_NET_RETRY=1 "$CARGO" fetch --quiet --locked "$@"); }
crates --offline 2> /dev/null || crates >&2 || unavailable "the workspace's crates cannot be fetched"

# Eight frames at a time instead of four, with the same result, where the processor can: it is built for this one alone.
if [ -z "${RUSTFLAGS+set}" ] && grep -qw avx2 /proc/cpuinfo 2> /dev/null; then
    export RUSTFLAGS='-Ctarget-cpu=x86-64-v3'
fi
mkdir -p "$TARGET"
: > "$TARGET/began" # what is changed while cargo builds is newer than this
say 'building minerva_native: about a minute the first time'
CARGO=$CARGO VIRTUAL_ENV=$(cd "$VENV" && pwd) "$VENV/bin/maturin" develop --quiet --release --locked --offline \
    --manifest-path firmware_rs/crates/py/Cargo.toml --target-dir "$TARGET" >&2 || {
    say 'minerva_native does not compile'
    exit 1
}
module=$(find_module)
[ -n "$module" ] || { say 'minerva_native was built, but cannot be imported'; exit 1; }
touch -r "$TARGET/began" "$module"
echo "$module"
