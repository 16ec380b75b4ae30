/* Start-up and what rustc has no assembler for; GNU as, which knows the call0 convention only as plain code. */

 .section .init, "ax"
 .literal_position
 .global _start
 .align 4
_start:
 movi a1, _stack_top
 call0 main

 .text
/* simcall(operation, a, b, c): QEMU's simulator interface. The lx106's assembler does not know SIMCALL. */
 .global simcall
 .align 4
simcall:
 .byte 0x00, 0x51, 0x00
 ret

 .global ccount
 .align 4
ccount:
 rsr a2, ccount
 ret

 .global stack_end
 .align 4
stack_end:
 mov a2, a1
 ret

/* Two instructions a turn. */
 .global spin_turns
 .align 4
spin_turns:
 addi a2, a2, -1
 bnez a2, spin_turns
 ret

/* One core without interrupts: every aligned access is atomic. LLVM calls these on a core without S32C1I. */
 .global __atomic_load_4
 .align 4
__atomic_load_4:
 l32i a2, a2, 0
 ret

 .global __atomic_store_4
 .align 4
__atomic_store_4:
 s32i a3, a2, 0
 ret

/* What the compiler calls where it can prove that there is no way on: the simulator ends with 134. */
 .global abort
 .align 4
abort:
 movi a2, 1
 movi a3, 134
 j simcall

/* The simulator starts here. */
 .section .reset, "ax"
 .begin no-transform
 j 1f
 .align 4
2: .word _start
1: l32r a0, 2b
 jx a0
 .end no-transform

 .section .note.GNU-stack, "", @progbits
