/* The processor starts here: a stack, variables that are zero, main. */
    .section .text.start
    .global _start
_start:
    la sp, stack_end
    la t0, zero_start
    la t1, zero_end
1:  bgeu t0, t1, 2f
    sw zero, 0(t0)
    addi t0, t0, 4
    j 1b
2:  call main
3:  j 3b
