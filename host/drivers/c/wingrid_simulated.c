/* See wingrid_simulated.h. Time passes while registers are accessed and while the driver waits. */
#include "wingrid_simulated.h"

static uint32_t read32(void *context, uint32_t offset)
{
    struct wingrid_simulated *machine = context;
    uint32_t value = 0;
    if (machine->read(machine->simulation, offset, &value) == WINGRID_SIMULATED_FAILED) machine->failed = 1;
    return value;
}

static void write32(void *context, uint32_t offset, uint32_t value)
{
    struct wingrid_simulated *machine = context;
    if (machine->write(machine->simulation, offset, value) == WINGRID_SIMULATED_FAILED) machine->failed = 1;
}

static void barrier(void *context)
{
    (void)context;
}

static int wait(void *context, uint32_t microseconds)
{
    struct wingrid_simulated *machine = context;
    uint64_t left = (uint64_t)microseconds * machine->cycles_per_microsecond;
    while (left) {
        const uint64_t some = machine->masked ? 1 : left;
        const int status = machine->run(machine->simulation, some, UINT64_MAX);
        if (status == WINGRID_SIMULATED_FAILED) machine->failed = 1;
        if (machine->failed) return 0;
        if (status == WINGRID_SIMULATED_INTERRUPT && !machine->masked) return 1;
        left -= some;
    }
    return 0;
}

const struct wingrid_access wingrid_simulated_access = {read32, write32, barrier, wait};
