#!/bin/sh
# build-images.sh [CHIP...]   the Rust firmware's board binary, linked for chips; prints "CHIP PATH-OF-ELF" for each
#
# CHIP: esp32c6, esp32c3 (the default is both), or esp32s3. C6 and C3 are built with the compiler that
# scripts/get-bare-rust.sh finds or makes. The S3 needs Espressif's own; where `espup` is installed, one command does it:
#
#   espup install && sh scripts/build-images.sh esp32s3
#
# A chip whose compiler is not to be had is skipped, and standard error says so and why. What it takes: some three minutes of one
# core for both the first time (the crates for this computer are built once), seconds after a change.
#
# Exit status: 0 all that was asked for is there; 3 something was skipped; 1 the firmware does not compile or link.
# Environment: CARGO_TARGET_DIR (.cache/images), CARGO, ESP_EXPORT (~/export-esp.sh, which espup writes).
set -eu

CARGO=${CARGO:-cargo}
cd "$(dirname "$0")/.."
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$(pwd)/.cache/images}
export CARGO_TARGET_DIR
skipped=0

say() { echo "build-images: $*" >&2; }

skip() { # CHIP WHY
    say "$1 SKIPPED: $2"
    skipped=3
}

link() { # CHIP TARGET, with the compiler of this environment
    # From there, where cargo finds .cargo/config.toml with what the linker needs.
    (cd firmware_rs/esp32 && "$CARGO" build --quiet --locked --release --target "$2" --features "$1") >&2 || {
        say "$1 does not build"
        exit 1
    }
    echo "$1 $CARGO_TARGET_DIR/$2/release/minerva-esp32"
}

riscv() { # CHIP TARGET
    status=0
    settings=$(sh scripts/get-bare-rust.sh "$2") || status=$?
    case $status in
    0) ;;
    3) skip "$1" 'no compiler for it can be had here (get-bare-rust said why)'; return ;;
    *) say "$1: get-bare-rust failed"; exit 1 ;;
    esac
    (
        eval "$settings"
        link "$1" "$2"
    )
}

xtensa() { # CHIP TARGET
    export_esp=${ESP_EXPORT:-$HOME/export-esp.sh}
    if ! rustup toolchain list 2> /dev/null | grep -q '^esp\b'; then
        skip "$1" "needs Espressif's toolchain: cargo install espup && espup install"
        return
    fi
    (
        # shellcheck disable=SC1090 # espup wrote it
        [ ! -f "$export_esp" ] || . "$export_esp"
        # Espressif's compiler comes with the sources of core and alloc, not with the built libraries.
        export RUSTUP_TOOLCHAIN=esp CARGO_UNSTABLE_BUILD_STD=alloc,core
        link "$1" "$2"
    )
}

[ -f firmware_rs/esp32/Cargo.toml ] || { say 'firmware_rs/esp32 is not here'; exit 3; }
command -v "$CARGO" > /dev/null || { skip "${*:-esp32c6 esp32c3}" 'no cargo here (https://rustup.rs)'; exit 3; }
for chip in ${*:-esp32c6 esp32c3}; do
    case $chip in
    esp32c6) riscv esp32c6 riscv32imac-unknown-none-elf ;;
    esp32c3) riscv esp32c3 riscv32imc-unknown-none-elf ;;
    esp32s3) xtensa esp32s3 xtensa-esp32s3-none-elf ;;
    *) say "'$chip' is none of esp32c6, esp32c3, esp32s3"; exit 2 ;;
    esac
done
exit $skipped
