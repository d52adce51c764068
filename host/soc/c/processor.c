/* VexRiscv's interrupt and caches, as LiteX connects them. */
#include "firmware.h"
#include "soc.h"

#define MSTATUS_MIE 0x8u
#define MIE_MEIE 0x800u
#define EXTERNAL_INTERRUPT 0x8000000Bu

#define REGISTER(address) (*(volatile uint32_t *)(address))

volatile int interrupted;

/* VexRiscv's own register 0xBC0 has a bit for each interrupt that may pass. */
static void set_mask(uint32_t mask)
{
    __asm__ volatile("csrw 0xBC0, %0" : : "r"(mask));
}

void trap(void) __attribute__((interrupt("machine"), aligned(4)));

void trap(void)
{
    uint32_t cause, place;
    __asm__ volatile("csrr %0, mcause" : "=r"(cause));
    if (cause == EXTERNAL_INTERRUPT) {
        set_mask(0);
        interrupted = 1;
        return;
    }
    __asm__ volatile("csrr %0, mepc" : "=r"(place));
    print("error: the processor has met exception ");
    print_number(cause);
    print(" at ");
    print_number(place);
    print("\n");
    end();
}

void unmask(void)
{
    __asm__ volatile("csrw mtvec, %0" : : "r"(trap));
    REGISTER(SOC_WINGRID_EV_ENABLE) = 1;
    set_mask(1u << SOC_WINGRID_INTERRUPT);
    __asm__ volatile("csrs mie, %0" : : "r"(MIE_MEIE));
    __asm__ volatile("csrs mstatus, %0" : : "r"(MSTATUS_MIE));
}

/* The data cache writes through; what it holds is dropped by an instruction of VexRiscv's own. */
void synchronise(void)
{
    __asm__ volatile(".word 0x500F\n nop\n nop\n nop\n nop\n nop" : : : "memory");
}

void pause(void)
{
    __asm__ volatile("nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop");
}
