//! `qemu-system-xtensa -M sim -cpu lx106`, the core of an ESP8266: the simulator's calls, and CCOUNT as the count of instructions.
//!
//! What rustc has no assembler for stands in `xtensa.S`: start, `simcall`, `ccount`, `stack_end` and `spin_turns`.

use core::fmt::Write;

/// CCOUNT runs at 40 MHz of virtual time and the emulation at 2^SHIFT ns an instruction (`-icount shift=7`).
const NS_PER_COUNT: u64 = 25;
const SHIFT: u32 = 7;

const EXIT: u32 = 1;
const WRITE: u32 = 4;
const STDOUT: u32 = 1;

unsafe extern "C" {
    fn simcall(operation: u32, a: u32, b: u32, c: u32) -> u32;
    fn ccount() -> u32;
    safe fn spin_turns(turns: u32);
    safe fn stack_end() -> usize;
}

/// The simulator's standard output.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        // SAFETY: the simulator reads the text.
        unsafe { simcall(WRITE, STDOUT, text.as_ptr() as u32, text.len() as u32) };
        Ok(())
    }
}

/// A moment, for [`since`].
pub fn now() -> u64 {
    // SAFETY: reads a counter.
    u64::from(unsafe { ccount() })
}

/// Instructions since `began`, to within one, as long as they are fewer than 800 million: CCOUNT has 32 bits.
pub fn since(began: u64) -> u64 {
    let counts = now().wrapping_sub(began) & u64::from(u32::MAX);
    (counts * NS_PER_COUNT + (1 << SHIFT >> 1)) >> SHIFT
}

/// Where the caller's stack ends.
pub fn stack_pointer() -> usize {
    stack_end()
}

/// A loop of two instructions.
pub fn spin(turns: u32) {
    spin_turns(turns);
}

fn exit(code: u32) -> ! {
    // SAFETY: ends the emulation.
    unsafe { simcall(EXIT, code, 0, 0) };
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
