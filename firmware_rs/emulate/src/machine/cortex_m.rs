//! `qemu-system-arm -M mps2-an386`, a Cortex-M4F: semihosting, and SysTick as the count of instructions.

use core::arch::{asm, global_asm};
use core::fmt::Write;

/// SysTick runs at 25 MHz of virtual time and the emulation at 2^SHIFT ns an instruction (`-icount shift=7`).
const NS_PER_TICK: u64 = 40;
const SHIFT: u32 = 7;
const WRAP: u32 = 0x00ff_ffff;

const SYST_CSR: *mut u32 = 0xe000_e010 as *mut u32;
const SYST_RVR: *mut u32 = 0xe000_e014 as *mut u32;
const SYST_CVR: *mut u32 = 0xe000_e018 as *mut u32;

// 0xE000ED88 is CPACR: coprocessors 10 and 11 are the FPU.
global_asm!(
    ".section .vectors, \"a\"",
    ".word _stack_top",
    ".word _start",
    ".rept 14",
    ".word fault",
    ".endr",
    ".text",
    ".thumb",
    ".globl _start",
    ".type _start, %function",
    ".thumb_func",
    "_start:",
    "ldr r0, =0xE000ED88",
    "ldr r1, [r0]",
    "orr r1, r1, #0xF00000",
    "str r1, [r0]",
    "dsb",
    "isb",
    "bl main",
    ".ltorg",
);

fn semihosting(operation: u32, argument: usize) {
    // SAFETY: QEMU takes the breakpoint as a call, which only reads what the argument points to.
    unsafe { asm!("bkpt #0xab", inlateout("r0") operation => _, in("r1") argument) };
}

/// The debugger's console.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for byte in text.bytes() {
            semihosting(0x03, &raw const byte as usize);
        }
        Ok(())
    }
}

/// A moment, for [`since`].
pub fn now() -> u64 {
    // SAFETY: reads a counter, which counts down.
    u64::from(WRAP - unsafe { SYST_CVR.read_volatile() })
}

/// Instructions since `began`, to within one, as long as they are fewer than five million: SysTick has 24 bits.
pub fn since(began: u64) -> u64 {
    let ticks = now().wrapping_sub(began) & u64::from(WRAP);
    (ticks * NS_PER_TICK + (1 << SHIFT >> 1)) >> SHIFT
}

/// Where the caller's stack ends.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let pointer;
    // SAFETY: reads a register.
    unsafe { asm!("mov {0}, sp", out(reg) pointer) };
    pointer
}

/// A loop of two instructions.
#[inline(never)]
pub fn spin(turns: u32) {
    // SAFETY: changes only its own register and the flags.
    unsafe { asm!("1: subs {0}, {0}, #1", "bne 1b", inout(reg) turns => _) };
}

fn exit(code: u32) -> ! {
    let reason = [0x20026, code];
    semihosting(0x20, reason.as_ptr() as usize);
    loop {}
}

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    // SAFETY: SysTick is nobody else's: full period, no interrupt, the core's clock.
    unsafe {
        SYST_RVR.write_volatile(WRAP);
        SYST_CVR.write_volatile(0);
        SYST_CSR.write_volatile(0b101);
    }
    crate::run();
    exit(0)
}

#[unsafe(no_mangle)]
extern "C" fn fault() -> ! {
    let _ = Console.write_str("processor fault\n");
    exit(2)
}

#[panic_handler]
fn panicked(info: &core::panic::PanicInfo) -> ! {
    let _ = writeln!(Console, "{info}");
    exit(1)
}
