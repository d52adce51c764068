/*
 * Access under Linux, by its userspace I/O: /dev/uioN has the registers and the interrupt. Memory that the accelerator
 * reaches is that of a u-dma-buf (/dev/udmabufN, whose address is in its phys_addr), or a region kept out of the
 * system's hands and reached through /dev/mem. Open it with O_SYNC, so that caches stay out of the way.
 */
#ifndef WINGRID_UIO_H
#define WINGRID_UIO_H

#include <stddef.h>

#include "wingrid.h"

struct wingrid_uio {
    int file;
    volatile uint32_t *registers;
    size_t register_bytes;
};

/* 0, or -1 with errno. */
int wingrid_uio_open(struct wingrid_uio *uio, const char *path);
void wingrid_uio_close(struct wingrid_uio *uio);

/* Memory of a device file, for wingrid_open; 0 with errno if it cannot be had. */
volatile void *wingrid_uio_memory(const char *path, uint64_t offset, uint32_t bytes);

/* For wingrid_open, with a struct wingrid_uio as context. */
extern const struct wingrid_access wingrid_uio_access;

#endif
