/* See wingrid_bare.h. */
#include "wingrid_bare.h"

static uint32_t read32(void *context, uint32_t offset)
{
    const struct wingrid_bare *bare = context;
    return bare->registers[offset / 4];
}

static void write32(void *context, uint32_t offset, uint32_t value)
{
    const struct wingrid_bare *bare = context;
    bare->registers[offset / 4] = value;
}

static void barrier(void *context)
{
    const struct wingrid_bare *bare = context;
    __sync_synchronize();
    if (bare->synchronise) bare->synchronise();
}

static void pause(const struct wingrid_bare *bare)
{
    if (bare->pause) bare->pause();
    else (void)bare->registers[WINGRID_REG_STATUS / 4];
}

static int wait(void *context, uint32_t microseconds)
{
    const struct wingrid_bare *bare = context;
    uint32_t i;
    if (bare->interrupt && bare->unmask) bare->unmask();
    do {
        for (i = 0; i < bare->pauses_per_microsecond; ++i) {
            if (bare->interrupt && *bare->interrupt) {
                *bare->interrupt = 0;
                return 1;
            }
            pause(bare);
        }
    } while (microseconds-- > 1);
    return 0;
}

const struct wingrid_access wingrid_bare_access = {read32, write32, barrier, wait};
