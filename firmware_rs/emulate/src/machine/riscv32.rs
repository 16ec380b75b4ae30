//! `qemu-system-riscv32 -M virt`: a UART, and a device that ends the emulation.

use core::arch::{asm, global_asm};
use core::fmt::Write;

// Memory starts as zeros; FS on is what lets the FPU be used, and no harm without one.
global_asm!(
    ".section .init, \"ax\"",
    ".globl _start",
    "_start:",
    "la sp, _stack_top",
    "li t0, 0x6000",
    "csrs mstatus, t0",
    "call main",
    ".text",
);

/// The UART, which takes each byte at once.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for byte in text.bytes() {
            // SAFETY: the transmit register of the NS16550A.
            unsafe { (0x1000_0000 as *mut u8).write_volatile(byte) };
        }
        Ok(())
    }
}

/// A moment, for [`since`]: instructions retired, which QEMU counts itself with `-icount`.
pub fn now() -> u64 {
    loop {
        let (high, low, again): (u32, u32, u32);
        // SAFETY: reads counters.
        unsafe {
            asm!(
                "csrr {0}, minstreth",
                "csrr {1}, minstret",
                "csrr {2}, minstreth",
                out(reg) high, out(reg) low, out(reg) again,
            );
        }
        if high == again {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

/// Instructions since `began`.
pub fn since(began: u64) -> u64 {
    now().wrapping_sub(began)
}

/// Where the caller's stack ends.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let pointer;
    // SAFETY: reads a register.
    unsafe { asm!("mv {0}, sp", out(reg) pointer) };
    pointer
}

/// A loop of two instructions.
#[inline(never)]
pub fn spin(turns: u32) {
    // SAFETY: changes only its own register.
    unsafe { asm!("1: addi {0}, {0}, -1", "bnez {0}, 1b", inout(reg) turns => _) };
}

fn exit(code: u32) -> ! {
    let value = if code == 0 {
        0x5555
    } else {
        code << 16 | 0x3333
    };
    // SAFETY: the test finisher, which ends the emulation.
    unsafe { (0x10_0000 as *mut u32).write_volatile(value) };
    loop {}
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    crate::run();
    exit(0)
}

#[panic_handler]
fn panicked(info: &core::panic::PanicInfo) -> ! {
    let _ = writeln!(Console, "{info}");
    exit(1)
}
