/* Access to the simulated machine: its C interface as pointers, which the project's simulator libraries fill. */
#ifndef WINGRID_SIMULATED_H
#define WINGRID_SIMULATED_H

#include "wingrid.h"

struct wingrid_simulated {
    void *simulation;
    /* 0 or more, or WINGRID_SIMULATED_FAILED. */
    int (*read)(void *simulation, uint32_t address, uint32_t *value);
    int (*write)(void *simulation, uint32_t address, uint32_t value);
    /* Simulates so many cycles at most; WINGRID_SIMULATED_INTERRUPT as soon as the interrupt is high. */
    int (*run)(void *simulation, uint64_t cycles, uint64_t patience);
    uint32_t cycles_per_microsecond;
    int masked; /* 1: an interrupt controller that lets nothing through */
    int failed; /* set if the simulation has refused something */
};

enum { WINGRID_SIMULATED_INTERRUPT = 1, WINGRID_SIMULATED_FAILED = 3 };

/* For wingrid_open, with a struct wingrid_simulated as context. */
extern const struct wingrid_access wingrid_simulated_access;

#endif
