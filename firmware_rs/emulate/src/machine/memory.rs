//! The program's sections, and how deep the stack went.

use core::ptr::addr_of;

use crate::{machine, report};

const PAINT: u32 = 0x5eed_ca7e;

unsafe extern "C" {
    static _text_start: u32;
    static _text_end: u32;
    static _rodata_start: u32;
    static _rodata_end: u32;
    static _data_start: u32;
    static _data_end: u32;
    static _bss_start: u32;
    static _bss_end: u32;
    static _stack_bottom: u32;
}

/// A painted part of the stack.
#[derive(Clone, Copy)]
pub struct Painted {
    from: usize,
    top: usize,
}

/// Paint the `bytes` below `top`, the caller's stack pointer, but for this function's own frame.
#[inline(never)]
pub fn paint(top: usize, bytes: usize) -> Painted {
    let from = top
        .saturating_sub(bytes)
        .max(addr_of!(_stack_bottom) as usize);
    for address in (from..machine::stack_pointer()).step_by(4) {
        // SAFETY: between the static memory and the stack pointer there is only stack that nobody uses.
        unsafe { (address as *mut u32).write_volatile(PAINT) };
    }
    Painted { from, top }
}

/// Bytes from `top` to the lowest that was written since.
#[inline(never)]
pub fn reached(painted: Painted) -> usize {
    let mut address = painted.from;
    // SAFETY: the addresses that `paint` wrote, and this program's stack above them.
    while address < painted.top && unsafe { (address as *const u32).read_volatile() } == PAINT {
        address += 4;
    }
    painted.top - address
}

/// Print the sizes of code, constants and static memory.
pub fn report() {
    let size = |from: *const u32, to: *const u32| to as usize - from as usize;
    report::number(
        "memory.text_bytes",
        size(addr_of!(_text_start), addr_of!(_text_end)),
    );
    report::number(
        "memory.rodata_bytes",
        size(addr_of!(_rodata_start), addr_of!(_rodata_end)),
    );
    report::number(
        "memory.data_bytes",
        size(addr_of!(_data_start), addr_of!(_data_end)),
    );
    report::number(
        "memory.bss_bytes",
        size(addr_of!(_bss_start), addr_of!(_bss_end)),
    );
}
