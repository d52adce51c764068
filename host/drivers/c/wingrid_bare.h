/* Access on bare metal: registers at an address, the interrupt as a flag that its handler sets. */
#ifndef WINGRID_BARE_H
#define WINGRID_BARE_H

#include "wingrid.h"

struct wingrid_bare {
    volatile uint32_t *registers;
    uint32_t pauses_per_microsecond; /* about how many pauses take a microsecond; at least 1 */
    volatile int *interrupt;         /* set by the interrupt's handler, which also masks it; 0: device.polling is set */
    void (*unmask)(void);            /* lets the interrupt through once more; 0 if nothing has to be done */
    void (*synchronise)(void);       /* writes back and drops what data caches hold; 0 where memory is coherent */
    void (*pause)(void);             /* lets a little time pass, without the bus; 0 for a read of a register */
};

/* For wingrid_open, with a struct wingrid_bare as context. */
extern const struct wingrid_access wingrid_bare_access;

#endif
