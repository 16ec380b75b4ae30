#!/bin/sh
# build-sim.sh   minerva-sim, the Rust firmware's device as a program of this computer; prints its path
#
# Built by cargo into .cache/minerva-sim, which takes a minute the first time; as long as nothing in firmware_rs
# changes, later runs only print. Two at a time wait for each other.
#
# Exit status: 0 there it is; 3 not to be had here (no cargo, too old a one, no network for its crates), callers go on
# without; 1 the firmware does not compile. Standard error says why. Environment: CARGO names another cargo.
set -eu

MIN=1.95                 # rust-version of firmware_rs
CARGO=${CARGO:-cargo}
cd "$(dirname "$0")/.."
TARGET=$(pwd)/.cache/minerva-sim
PROGRAM=$TARGET/release/minerva-sim

say() { echo "build-sim: $*" >&2; }
unavailable() { say "$*"; exit 3; }

[ -f firmware_rs/Cargo.toml ] || unavailable 'firmware_rs/ is not here: minerva-sim is built from a clone of the project'
sources='firmware_rs/Cargo.toml firmware_rs/Cargo.lock firmware_rs/crates/wire firmware_rs/crates/dsp firmware_rs/crates/device firmware_rs/crates/sim'

# shellcheck disable=SC2086 # several words on purpose
if [ -x "$PROGRAM" ] && [ -z "$(find $sources -type f -newer "$PROGRAM" | head -n 1)" ]; then
    echo "$PROGRAM"
    exit 0
fi

version=$("$CARGO" --version 2> /dev/null) || unavailable "no cargo that runs here (Rust $MIN or newer: https://rustup.rs)"
version=${version#cargo }
case $(printf '%s\n%s\n' "$MIN" "${version%% *}" | sort -t . -k 1,1n -k 2,2n | head -n 1) in
"$MIN") ;;
*) unavailable "cargo ${version%% *} is too old: Rust $MIN or newer is needed" ;;
esac

# What is fetched already needs no network.
crates() { (cd firmware_rs && CARGO_NET_RETRY=1 "$CARGO" tree --quiet --locked -p minerva-sim "$@") > /dev/null; }
crates --offline 2> /dev/null || crates >&2 || unavailable 'the crates that minerva-sim needs cannot be fetched'
mkdir -p "$TARGET"
: > "$TARGET/began" # what is changed while cargo builds is newer than this
say 'building minerva-sim, the device in Rust: about a minute the first time'
(cd firmware_rs && "$CARGO" build --quiet --locked --offline --release -p minerva-sim --target-dir "$TARGET") >&2 || {
    say 'minerva-sim does not compile'
    exit 1
}
touch -r "$TARGET/began" "$PROGRAM" # cargo leaves a program as it is when nothing of it changed
echo "$PROGRAM"
