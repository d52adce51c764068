/*
 * Driver of the accelerator, in C99 without a C library: nothing is allocated, nothing printed.
 *
 * A platform gives four functions (struct wingrid_access) and the memory that processor and accelerator share; all else
 * is the same on bare metal (wingrid_bare.h), under Linux (wingrid_uio.h) and with a simulated machine
 * (wingrid_simulated.h). Every function that can fail returns WINGRID_OK or what went wrong, see wingrid_text.
 *
 *     struct wingrid device;
 *     int8_t pixels[...], classes[...];
 *     int wrong = wingrid_open(&device, &access, context, memory, sizeof memory, address);
 *     if (!wrong) wrong = wingrid_load(&device, image, image_bytes);
 *     if (!wrong) wrong = wingrid_write_tensor(&device, input, pixels);
 *     if (!wrong) wrong = wingrid_run(&device, 0, 1000000);
 *     if (!wrong) wrong = wingrid_read_tensor(&device, output, classes);
 */
#ifndef WINGRID_H
#define WINGRID_H

#include <stdint.h>

#include "wingrid_image.h"
#include "wingrid_registers.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "images are little-endian, and so must the processor be"
#endif

enum wingrid_error {
    WINGRID_OK = 0,
    WINGRID_NO_ACCELERATOR,      /* IDENTITY reads as something else */
    WINGRID_OTHER_VERSION,       /* of instructions and registers; device.wrong_register, device.wrong_value */
    WINGRID_OTHER_CONFIGURATION, /* than the image was made for; likewise */
    WINGRID_NO_IMAGE,            /* what was given is no image */
    WINGRID_OTHER_FORMAT,        /* of the image's file */
    WINGRID_DAMAGED_IMAGE,       /* its size or its checksum is wrong, or its tables lead outside */
    WINGRID_SMALL_MEMORY,        /* the image takes more */
    WINGRID_UNALIGNED_MEMORY,    /* its address on the bus must be a multiple of 4096 */
    WINGRID_UNREACHABLE_MEMORY,  /* it lies beyond the accelerator's address bits */
    WINGRID_NOT_LOADED,          /* there is no image in memory yet */
    WINGRID_UNKNOWN,             /* the image has no such entry or tensor */
    WINGRID_BUSY,                /* a program runs */
    WINGRID_FAULTY,              /* a fault stands: reset first */
    WINGRID_TIMEOUT,             /* the program did not end in time, it still runs; or the reset has not ended */
    WINGRID_NO_INTERRUPT,        /* the program has ended, but no interrupt came */
    WINGRID_STOPPED,             /* the program was abandoned by a reset */
    WINGRID_FAULT = 32           /* and up: 32 + WINGRID_FAULT_...; device.fault_instruction */
};

/* What the driver needs of a platform. `context` is what wingrid_open was given. */
struct wingrid_access {
    uint32_t (*read32)(void *context, uint32_t offset);
    void (*write32)(void *context, uint32_t offset, uint32_t value);
    /* What was written to memory before can be read by the accelerator after it, and the other way round. */
    void (*barrier)(void *context);
    /* Returns 1 as soon as the accelerator's interrupt is high, or 0 when so many microseconds have passed. */
    int (*wait)(void *context, uint32_t microseconds);
};

struct wingrid {
    const struct wingrid_access *access;
    void *context;
    volatile uint8_t *memory; /* as the processor sees it */
    uint32_t memory_bytes;
    uint64_t address; /* of its first byte, as the accelerator's bus sees it */
    int polling;      /* 1: wingrid_wait looks at STATUS again and again, and the interrupt stays off */
    int loaded;
    /* About the last error, where its comment says so. */
    uint32_t wrong_register;
    uint32_t wrong_value;
    uint32_t fault_instruction;
};

/* A sentence about an error. */
const char *wingrid_text(int error);

/* Looks whether there is an accelerator that this driver knows. The memory must stay where it is. */
int wingrid_open(struct wingrid *device, const struct wingrid_access *access, void *context, volatile void *memory,
                 uint32_t memory_bytes, uint64_t address);

/* Puts an image into memory and checks it there, against its checksum and against the accelerator. */
int wingrid_load(struct wingrid *device, const void *image, uint32_t bytes);

/* The same for an image that is in memory already. */
int wingrid_attach(struct wingrid *device);

/* The place of an entry or a tensor in the image's tables, by name; -1 if there is none. */
int32_t wingrid_find_entry(const struct wingrid *device, const char *name);
int32_t wingrid_find_tensor(const struct wingrid *device, const char *name);

/* What the image's tables say of one. */
int wingrid_entry(const struct wingrid *device, uint32_t index, struct wingrid_image_entry *entry);
int wingrid_tensor(const struct wingrid *device, uint32_t index, struct wingrid_image_tensor *tensor);

/* Bytes of values that an element each take, int8_t or uint8_t as the tensor's type says, in C order. */
int wingrid_write_tensor(struct wingrid *device, uint32_t index, const void *values);
int wingrid_read_tensor(struct wingrid *device, uint32_t index, void *values);

/* Starts an entry. Its inputs are in memory. */
int wingrid_start(struct wingrid *device, uint32_t entry);

/* Waits for its end, by interrupt or, where device.polling is set, without. */
int wingrid_wait(struct wingrid *device, uint32_t microseconds);

/* Both. */
int wingrid_run(struct wingrid *device, uint32_t entry, uint32_t microseconds);

/* Abandons what runs and clears a fault; memory stays as it is. It ends when the bus has answered all transactions. */
int wingrid_reset(struct wingrid *device, uint32_t microseconds);

/* A counter of the last program, WINGRID_COUNTER_... */
uint64_t wingrid_counter(struct wingrid *device, uint32_t counter);

#endif
