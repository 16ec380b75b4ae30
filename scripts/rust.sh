#!/bin/sh
# rust.sh lint | test   the Rust firmware's own checks on this computer; says so and does nothing where cargo is missing
#
# lint: rustfmt and clippy, warnings are errors. test: cargo's tests of all crates.
# crates/tls compiles Mbed TLS and crates/py a Python module: they are left out, and named, where what that takes is missing.
# The image for chips is a matter of scripts/build-images.sh, the emulated chips of `make emulate`.
set -eu
cd "$(dirname "$0")/../firmware_rs"

say() { echo "rust: $*" >&2; }

command -v cargo > /dev/null || { say 'no cargo here: the Rust firmware is not checked (https://rustup.rs)'; exit 0; }

left_out=
for tool in clang cmake ninja; do
    if ! command -v "$tool" > /dev/null; then
        say "no $tool here: crates/tls is left out"
        left_out='--exclude minerva-tls'
        break
    fi
done

case ${1:-} in
lint)
    if cargo fmt --version > /dev/null 2>&1; then
        for workspace in . esp32 emulate fuzz; do
            [ ! -f "$workspace/Cargo.toml" ] || (cd "$workspace" && cargo fmt --all --check)
        done
    else
        say 'no rustfmt here: formatting is not checked'
    fi
    if cargo clippy --version > /dev/null 2>&1; then
        # shellcheck disable=SC2086 # several words on purpose
        cargo clippy --quiet --locked --workspace --all-targets $left_out -- -D warnings
        (cd esp32 && CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-../target} cargo clippy --quiet --locked -p minerva-board --all-targets -- -D warnings)
    else
        say 'no clippy here: not linted'
    fi
    ;;
test)
    # The Python module is tested from Python (tests/native); linked as a test it would want Python's library.
    # shellcheck disable=SC2086
    cargo test --quiet --locked --workspace $left_out --exclude minerva-native
    # Of the board binary what needs no chip, with the crates that are built already.
    (cd esp32 && CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-../target} cargo test --quiet --locked -p minerva-board)
    ;;
*)
    echo 'rust.sh lint | test' >&2
    exit 2
    ;;
esac
