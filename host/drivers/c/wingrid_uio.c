/* See wingrid_uio.h. POSIX, where the other files need no operating system. */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include "wingrid_uio.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

int wingrid_uio_open(struct wingrid_uio *uio, const char *path)
{
    const long page = sysconf(_SC_PAGESIZE);
    void *mapped;
    uio->file = open(path, O_RDWR | O_SYNC);
    if (uio->file < 0) return -1;
    uio->register_bytes = page > 0 ? (size_t)page : 4096;
    mapped = mmap(0, uio->register_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, uio->file, 0);
    if (mapped == MAP_FAILED) {
        close(uio->file);
        return -1;
    }
    uio->registers = mapped;
    return 0;
}

void wingrid_uio_close(struct wingrid_uio *uio)
{
    munmap((void *)(uintptr_t)uio->registers, uio->register_bytes);
    close(uio->file);
}

volatile void *wingrid_uio_memory(const char *path, uint64_t offset, uint32_t bytes)
{
    const int file = open(path, O_RDWR | O_SYNC);
    void *mapped;
    if (file < 0) return 0;
    mapped = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, (off_t)offset);
    close(file);
    return mapped == MAP_FAILED ? 0 : mapped;
}

static uint32_t read32(void *context, uint32_t offset)
{
    const struct wingrid_uio *uio = context;
    return uio->registers[offset / 4];
}

static void write32(void *context, uint32_t offset, uint32_t value)
{
    const struct wingrid_uio *uio = context;
    uio->registers[offset / 4] = value;
}

static void barrier(void *context)
{
    (void)context;
    __sync_synchronize();
}

static int wait(void *context, uint32_t microseconds)
{
    const struct wingrid_uio *uio = context;
    const int32_t unmask = 1;
    int32_t count;
    struct timespec limit;
    fd_set waiting;
    limit.tv_sec = (time_t)(microseconds / 1000000);
    limit.tv_nsec = (long)(microseconds % 1000000) * 1000;
    if (write(uio->file, &unmask, sizeof unmask) != (ssize_t)sizeof unmask) return 0;
    FD_ZERO(&waiting);
    FD_SET(uio->file, &waiting);
    if (pselect(uio->file + 1, &waiting, 0, 0, &limit, 0) <= 0) return 0;
    return read(uio->file, &count, sizeof count) == (ssize_t)sizeof count;
}

const struct wingrid_access wingrid_uio_access = {read32, write32, barrier, wait};
