#!/bin/sh
# fuzz.sh [SECONDS [TARGET...]]   the Rust firmware's decoders against generated input, SECONDS (30) for each target;
#                                 powercut: power fails at every write of an update, as long as that takes
#
# powercut is `minerva bench powercut`: the MicroPython application on a simulated flash. The decoders are coverage-guided by
# libFuzzer. This works with the stable compiler, as the instrumentation is LLVM's and the crates have no unsafe code for a
# sanitizer to watch; FUZZ_SANITIZER=address adds it where a nightly compiler is installed. Overflow and debug assertions are
# on. What it found stays in firmware_rs/target/fuzz/ (the corpus grows from run to run), an input that fails in
# artifacts/fuzz/, and the run fails.
#
# Exit status: 0 nothing found, or what it takes is missing, which is said; 1 something was found or is broken.
set -eu
cd "$(dirname "$0")/.."
ROOT=$(pwd)
KNOWN='media control link settings websocket device update'
CUTS=powercut

say() { echo "fuzz: $*" >&2; }

seconds=${1:-30}
case $seconds in
    '' | *[!0-9]*) say "$seconds is no number of seconds"; exit 2 ;;
esac
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- $CUTS $KNOWN
decoders=
cuts=
for target; do
    case " $KNOWN " in
        *" $target "*) decoders="$decoders $target" ;;
        *)
            [ "$target" = $CUTS ] || { say "$target is not one of $CUTS $KNOWN"; exit 2; }
            cuts=1
            ;;
    esac
done

if [ -n "$cuts" ]; then
    minerva=${MINERVA:-.venv/bin/minerva}
    if [ ! -x "$minerva" ]; then
        say "no $minerva here, which make fuzz makes: power is not cut"
    elif [ ! -x .cache/micropython-i386/bin/micropython ]; then
        say 'no MicroPython here (scripts/get-micropython.sh native i386): power is not cut'
    else
        say "$CUTS, a few minutes"
        "$minerva" bench $CUTS >&2
    fi
fi
set -- $decoders
[ $# -gt 0 ] || exit 0

command -v cargo > /dev/null || { say 'no cargo here: nothing is fuzzed (https://rustup.rs)'; exit 0; }
command -v "${CXX:-c++}" > /dev/null || { say 'no C++ compiler here, which libFuzzer needs: nothing is fuzzed'; exit 0; }

# An own folder, as these flags would rebuild everything else.
TARGET_DIR=${FUZZ_TARGET_DIR:-$ROOT/firmware_rs/target/fuzz}
host=$(rustc -vV | sed -n 's/^host: //p')
flags='--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1'
toolchain=
case ${FUZZ_SANITIZER:-none} in
    none) ;;
    address)
        toolchain=+nightly
        flags="$flags -Zsanitizer=address"
        ;;
    *) say "FUZZ_SANITIZER=$FUZZ_SANITIZER is not none or address"; exit 2 ;;
esac

say "building with $(rustc $toolchain --version)"
(
    cd firmware_rs/fuzz
    # --target: so that build scripts are not instrumented.
    RUSTFLAGS=$(echo $flags) cargo $toolchain build --quiet --locked --profile fuzz --features libfuzzer \
        --target "$host" --target-dir "$TARGET_DIR"
)
"${PYTHON:-python3}" firmware_rs/fuzz/seeds.py "$TARGET_DIR/seeds"

failed=
for target; do
    corpus=$TARGET_DIR/corpus/$target
    mkdir -p "$corpus" artifacts/fuzz
    say "$target, $seconds s"
    if "$TARGET_DIR/$host/fuzz/$target" -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=1024 \
        -dict="$TARGET_DIR/seeds/words.dict" -artifact_prefix="$ROOT/artifacts/fuzz/$target-" -print_final_stats=1 -verbosity=0 \
        "$corpus" "$TARGET_DIR/seeds/$target" > "$TARGET_DIR/$target.log" 2>&1; then
        sed -n 's/^stat::number_of_executed_units: */fuzz:   inputs run: /p' "$TARGET_DIR/$target.log" >&2
    else
        failed="$failed $target"
        tail -n 40 "$TARGET_DIR/$target.log" >&2
    fi
done
[ -z "$failed" ] || { say "found something in:$failed (inputs in artifacts/fuzz/, see firmware_rs/fuzz/README.md)"; exit 1; }
say 'found nothing'
