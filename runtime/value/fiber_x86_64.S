// The stack switch for x86-64, System V calling convention; see fiber.c for the frame it saves and restores.
//
// It ends in `pop; jmp` and not in `ret`: the processor predicts a return from the stack of calls it has
// seen, which a switched stack defeats every time. The control words of the SSE and x87 units are the same in
// all fibers and not saved.
#if defined(__x86_64__) && !defined(NN_FIBER_UCONTEXT)
        .text

// void fiber_switch(void **save_sp, void *to_sp)
        .globl fiber_switch
        .hidden fiber_switch
        .type fiber_switch, @function
        .p2align 4
fiber_switch:
        pushq %rbp
        pushq %rbx
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        movq %rsp, (%rdi)
        movq %rsi, %rsp
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbx
        popq %rbp
        popq %rcx
        jmpq *%rcx
        .size fiber_switch, .-fiber_switch

// Where a new fiber begins: r12 is the function, r13 its argument. It never returns.
        .globl fiber_boot
        .hidden fiber_boot
        .type fiber_boot, @function
        .p2align 4
fiber_boot:
        .cfi_startproc
        .cfi_undefined rip              // unwinders stop here
        movq %r13, %rdi
        xorl %ebp, %ebp
        callq *%r12
        ud2
        .cfi_endproc
        .size fiber_boot, .-fiber_boot
#endif
        .section .note.GNU-stack, "", @progbits
