//! The crates that a board runs, as a program without an operating system.
//!
//! It plays a clip to the features, the gate and a whole device, the protocol's vectors to the codec, and prints
//! a line `name value` for each thing it found: hashes, which are the same on every target, and instructions, stack
//! and memory, which are not. On a computer the same program prints the hashes to compare with.
#![cfg_attr(target_os = "none", no_std, no_main)]

mod device;
mod dsp;
mod hub;
#[cfg_attr(target_arch = "riscv32", path = "machine/riscv32.rs")]
#[cfg_attr(target_arch = "arm", path = "machine/cortex_m.rs")]
#[cfg_attr(target_arch = "xtensa", path = "machine/xtensa.rs")]
#[cfg_attr(not(target_os = "none"), path = "machine/host.rs")]
#[allow(
    unsafe_code,
    reason = "start-up code, counters and the stack are the machine's"
)]
mod machine;
mod material;
mod measure;
#[cfg(target_os = "none")]
#[path = "machine/memory.rs"]
#[allow(
    unsafe_code,
    reason = "reads the linker's addresses and the unused stack"
)]
mod memory;
mod report;
mod wire;

/// Everything in turn; the machine ends the program.
fn run() {
    measure::calibrate();
    dsp::run();
    wire::run();
    device::run();
    #[cfg(target_os = "none")]
    memory::report();
    report::number("material.bytes", material::BYTES);
    report::word("end", "complete");
}

#[cfg(not(target_os = "none"))]
fn main() {
    run();
}
