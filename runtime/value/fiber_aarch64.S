// The stack switch for aarch64, AAPCS64 calling convention; see fiber.c for the frame it saves and restores.
// It ends in `br` and not in `ret`, which would defeat the prediction of returns.
#if defined(__aarch64__) && !defined(NN_FIBER_UCONTEXT)
        .text

// void fiber_switch(void **save_sp, void *to_sp)
        .globl fiber_switch
        .hidden fiber_switch
        .type fiber_switch, %function
        .p2align 4
fiber_switch:
        stp x29, x30, [sp, #-160]!
        stp x19, x20, [sp, #16]
        stp x21, x22, [sp, #32]
        stp x23, x24, [sp, #48]
        stp x25, x26, [sp, #64]
        stp x27, x28, [sp, #80]
        stp d8, d9, [sp, #96]
        stp d10, d11, [sp, #112]
        stp d12, d13, [sp, #128]
        stp d14, d15, [sp, #144]
        mov x9, sp
        str x9, [x0]
        mov sp, x1
        ldp x19, x20, [sp, #16]
        ldp x21, x22, [sp, #32]
        ldp x23, x24, [sp, #48]
        ldp x25, x26, [sp, #64]
        ldp x27, x28, [sp, #80]
        ldp d8, d9, [sp, #96]
        ldp d10, d11, [sp, #112]
        ldp d12, d13, [sp, #128]
        ldp d14, d15, [sp, #144]
        ldp x29, x30, [sp], #160
        br x30
        .size fiber_switch, .-fiber_switch

// Where a new fiber begins: x19 is the function, x20 its argument. It never returns.
        .globl fiber_boot
        .hidden fiber_boot
        .type fiber_boot, %function
        .p2align 4
fiber_boot:
        .cfi_startproc
        .cfi_undefined x30              // unwinders stop here
        mov x0, x20
        mov x29, #0
        mov x30, #0
        blr x19
        brk #0
        .cfi_endproc
        .size fiber_boot, .-fiber_boot
#endif
        .section .note.GNU-stack, "", %progbits
