/* The driver's core, see wingrid.h. */
#include "wingrid.h"

#include <stddef.h>

#define FIELD(structure, member) ((uint32_t)offsetof(struct structure, member))
#define HEADER(device, member) word(device, FIELD(wingrid_image_header, member))

static uint32_t get(const struct wingrid *device, uint32_t offset)
{
    return device->access->read32(device->context, offset);
}

static void set(const struct wingrid *device, uint32_t offset, uint32_t value)
{
    device->access->write32(device->context, offset, value);
}

static void barrier(const struct wingrid *device)
{
    device->access->barrier(device->context);
}

/* A number of the image. */
static uint32_t word(const struct wingrid *device, uint32_t offset)
{
    const volatile uint8_t *byte = device->memory + offset;
    return byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 | (uint32_t)byte[3] << 24;
}

/* A record of a table of the image. */
static void fetch(const struct wingrid *device, uint32_t offset, void *record, uint32_t bytes)
{
    unsigned char *to = record;
    uint32_t i;
    for (i = 0; i < bytes; ++i) to[i] = device->memory[offset + i];
}

/* Whether `count` records of `bytes` lie within the file. */
static int inside(const struct wingrid *device, uint32_t offset, uint32_t count, uint32_t bytes)
{
    const uint32_t size = HEADER(device, file_bytes);
    return offset <= size && count <= (size - offset) / bytes;
}

static uint32_t crc_of(const struct wingrid *device, uint32_t from, uint32_t to, uint32_t crc)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
        0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };
    for (; from < to; ++from) {
        const uint32_t place = from - WINGRID_IMAGE_CHECKSUM_OFFSET;
        crc ^= place < 4 ? 0 : device->memory[from];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

const char *wingrid_text(int error)
{
    switch (error) {
    case WINGRID_OK: return "all is well";
    case WINGRID_NO_ACCELERATOR: return "there is no accelerator: its identity register reads as something else";
    case WINGRID_OTHER_VERSION: return "the accelerator has another version of instructions and registers";
    case WINGRID_OTHER_CONFIGURATION: return "the accelerator has another configuration than the image was made for";
    case WINGRID_NO_IMAGE: return "what was given is no image for the accelerator";
    case WINGRID_OTHER_FORMAT: return "the image has a format that this driver does not know";
    case WINGRID_DAMAGED_IMAGE: return "the image is damaged";
    case WINGRID_SMALL_MEMORY: return "the image takes more memory than there is";
    case WINGRID_UNALIGNED_MEMORY: return "the memory's address is no multiple of 4096";
    case WINGRID_UNREACHABLE_MEMORY: return "the accelerator has too few address bits to reach the memory";
    case WINGRID_NOT_LOADED: return "no image is loaded";
    case WINGRID_UNKNOWN: return "the image has no such entry or tensor";
    case WINGRID_BUSY: return "the accelerator runs a program";
    case WINGRID_FAULTY: return "a fault stands until the accelerator is reset";
    case WINGRID_TIMEOUT: return "the accelerator did not end in time";
    case WINGRID_NO_INTERRUPT: return "the program has ended, but its interrupt did not come";
    case WINGRID_STOPPED: return "the program was abandoned";
    case WINGRID_FAULT + WINGRID_FAULT_ILLEGAL_INSTRUCTION: return "an instruction is illegal";
    case WINGRID_FAULT + WINGRID_FAULT_ADDRESS_OUT_OF_BUFFER: return "an instruction goes beyond a buffer";
    case WINGRID_FAULT + WINGRID_FAULT_READ_ERROR: return "memory has answered a read with an error";
    case WINGRID_FAULT + WINGRID_FAULT_WRITE_ERROR: return "memory has answered a write with an error";
    case WINGRID_FAULT + WINGRID_FAULT_BANK_CONFLICT: return "two instructions have met in an accumulator bank";
    case WINGRID_FAULT + WINGRID_FAULT_SEMAPHORE_OVERFLOW: return "a semaphore was signalled too often";
    case WINGRID_FAULT + WINGRID_FAULT_DEADLOCK: return "the program waits for what never comes";
    default: return "an unknown error";
    }
}

/* Whether the accelerator's addresses are wide enough for all of the memory. */
static int reachable(struct wingrid *device)
{
    const uint32_t bits = get(device, WINGRID_REG_CONFIG_ADDRESS_BITS);
    const uint64_t last = device->address + (device->memory_bytes ? device->memory_bytes - 1 : 0);
    const uint32_t high = (uint32_t)(last >> 32);
    return last >= device->address && (bits >= 64 || (bits >= 32 && !(high >> (bits - 32))));
}

int wingrid_open(struct wingrid *device, const struct wingrid_access *access, void *context, volatile void *memory,
                 uint32_t memory_bytes, uint64_t address)
{
    uint32_t version;
    device->access = access;
    device->context = context;
    device->memory = memory;
    device->memory_bytes = memory_bytes;
    device->address = address;
    device->polling = 0;
    device->loaded = 0;
    device->wrong_register = 0;
    device->wrong_value = 0;
    device->fault_instruction = 0;
    if (get(device, WINGRID_REG_IDENTITY) != WINGRID_IDENTITY) return WINGRID_NO_ACCELERATOR;
    version = get(device, WINGRID_REG_VERSION);
    if (version >> 16 != WINGRID_VERSION >> 16 || version < WINGRID_VERSION) {
        device->wrong_register = WINGRID_REG_VERSION;
        device->wrong_value = version;
        return WINGRID_OTHER_VERSION;
    }
    if (address % WINGRID_IMAGE_BASE_ALIGNMENT) return WINGRID_UNALIGNED_MEMORY;
    if (!reachable(device)) return WINGRID_UNREACHABLE_MEMORY;
    return WINGRID_OK;
}

/* Whether the accelerator is one that the image was made for. */
static int check_readings(struct wingrid *device)
{
    const uint32_t table = HEADER(device, readings_offset), count = HEADER(device, readings_count);
    uint32_t i;
    if (!inside(device, table, count, sizeof(struct wingrid_image_reading))) return WINGRID_DAMAGED_IMAGE;
    for (i = 0; i < count; ++i) {
        struct wingrid_image_reading wanted;
        uint32_t value;
        int agrees;
        fetch(device, table + i * (uint32_t)sizeof wanted, &wanted, sizeof wanted);
        value = get(device, wanted.address);
        switch (wanted.rule) {
        case WINGRID_RULE_EQUAL: agrees = value == wanted.value; break;
        case WINGRID_RULE_AT_LEAST: agrees = value >= wanted.value; break;
        case WINGRID_RULE_VERSION: agrees = value >> 16 == wanted.value >> 16 && value >= wanted.value; break;
        case WINGRID_RULE_TIME_ONLY: agrees = 1; break;
        default: return WINGRID_OTHER_FORMAT;
        }
        if (!agrees) {
            device->wrong_register = wanted.address;
            device->wrong_value = value;
            return wanted.rule == WINGRID_RULE_VERSION ? WINGRID_OTHER_VERSION : WINGRID_OTHER_CONFIGURATION;
        }
    }
    return WINGRID_OK;
}

int wingrid_attach(struct wingrid *device)
{
    uint32_t bytes, crc;
    int wrong;
    device->loaded = 0;
    if (device->memory_bytes < sizeof(struct wingrid_image_header)) return WINGRID_SMALL_MEMORY;
    if (HEADER(device, magic) != WINGRID_IMAGE_MAGIC) return WINGRID_NO_IMAGE;
    if (HEADER(device, format) >> 16 != WINGRID_IMAGE_FORMAT >> 16) return WINGRID_OTHER_FORMAT;
    bytes = HEADER(device, file_bytes);
    if (bytes < sizeof(struct wingrid_image_header) || bytes > HEADER(device, memory_bytes)) return WINGRID_DAMAGED_IMAGE;
    if (HEADER(device, memory_bytes) > device->memory_bytes) return WINGRID_SMALL_MEMORY;
    crc = ~crc_of(device, 0, bytes, 0xFFFFFFFF);
    if (crc != HEADER(device, checksum)) return WINGRID_DAMAGED_IMAGE;
    if (!inside(device, HEADER(device, entries_offset), HEADER(device, entries_count), sizeof(struct wingrid_image_entry))
        || !inside(device, HEADER(device, tensors_offset), HEADER(device, tensors_count),
                   sizeof(struct wingrid_image_tensor)))
        return WINGRID_DAMAGED_IMAGE;
    wrong = check_readings(device);
    device->loaded = !wrong;
    return wrong;
}

int wingrid_load(struct wingrid *device, const void *image, uint32_t bytes)
{
    const uint8_t *from = image;
    uint32_t i = 0;
    device->loaded = 0;
    if (bytes < sizeof(struct wingrid_image_header)) return WINGRID_NO_IMAGE;
    if (bytes > device->memory_bytes) return WINGRID_SMALL_MEMORY;
    if (get(device, WINGRID_REG_STATUS) & WINGRID_STATUS_RUNNING) return WINGRID_BUSY;
    if (((uintptr_t)from | (uintptr_t)device->memory) % sizeof(uint32_t) == 0) {
        for (; i < bytes / sizeof(uint32_t) * sizeof(uint32_t); i += sizeof(uint32_t))
            *(volatile uint32_t *)(volatile void *)(device->memory + i) = *(const uint32_t *)(const void *)(from + i);
    }
    for (; i < bytes; ++i) device->memory[i] = from[i];
    barrier(device);
    if (HEADER(device, magic) == WINGRID_IMAGE_MAGIC && HEADER(device, file_bytes) != bytes) return WINGRID_DAMAGED_IMAGE;
    return wingrid_attach(device);
}

static int32_t find(const struct wingrid *device, uint32_t table, uint32_t count, uint32_t bytes, const char *name)
{
    uint32_t i, j;
    if (!device->loaded) return -1;
    for (i = 0; i < count; ++i) {
        /* Every record begins with its name. */
        const uint32_t text = word(device, table + i * bytes);
        for (j = 0; (char)device->memory[text + j] == name[j]; ++j)
            if (!name[j]) return (int32_t)i;
    }
    return -1;
}

int32_t wingrid_find_entry(const struct wingrid *device, const char *name)
{
    return find(device, HEADER(device, entries_offset), HEADER(device, entries_count),
                sizeof(struct wingrid_image_entry), name);
}

int32_t wingrid_find_tensor(const struct wingrid *device, const char *name)
{
    return find(device, HEADER(device, tensors_offset), HEADER(device, tensors_count),
                sizeof(struct wingrid_image_tensor), name);
}

int wingrid_entry(const struct wingrid *device, uint32_t index, struct wingrid_image_entry *entry)
{
    if (!device->loaded) return WINGRID_NOT_LOADED;
    if (index >= HEADER(device, entries_count)) return WINGRID_UNKNOWN;
    fetch(device, HEADER(device, entries_offset) + index * (uint32_t)sizeof *entry, entry, sizeof *entry);
    return WINGRID_OK;
}

int wingrid_tensor(const struct wingrid *device, uint32_t index, struct wingrid_image_tensor *tensor)
{
    if (!device->loaded) return WINGRID_NOT_LOADED;
    if (index >= HEADER(device, tensors_count)) return WINGRID_UNKNOWN;
    fetch(device, HEADER(device, tensors_offset) + index * (uint32_t)sizeof *tensor, tensor, sizeof *tensor);
    return WINGRID_OK;
}

/* Where a byte of a tensor comes from: the parts of the formula that are the same for a whole channel in memory. */
struct channel {
    int32_t inside;
    int32_t element; /* of the channel's first pixel */
    int32_t row;     /* of its first tap, from the image's first row */
    int32_t column;
};

static void locate(const struct wingrid *device, const struct wingrid_image_tensor *t, int32_t c, struct channel *found)
{
    const int32_t per = t->layer_channels / t->groups, taps = t->taps_y * t->taps_x;
    const int32_t tap = c / per % taps;
    uint32_t channel = (uint32_t)(c / (taps * per) * per + c % per);
    found->inside = c < t->memory_channels;
    if (!found->inside) return;
    if (t->channel_map) channel = word(device, t->channel_map + 4 * channel);
    found->element = (int32_t)channel * t->channel_stride;
    found->row = tap / t->taps_x * t->dilation_y - t->top;
    found->column = tap % t->taps_x * t->dilation_x - t->left;
}

/* The host's element behind a pixel of a channel in memory, -1 for none. */
static int32_t element_of(const struct wingrid_image_tensor *t, const struct channel *channel, int32_t i, int32_t y, int32_t x)
{
    const int32_t section = i % (t->sections_y * t->sections_x);
    const int32_t column = (x + section % t->sections_x * t->section_x) * t->stride_x + channel->column;
    int32_t image = i / (t->sections_y * t->sections_x), element;
    int32_t row = (y + section / t->sections_x * t->section_y) * t->stride_y + channel->row;
    if (!channel->inside || row < 0 || column < 0 || column >= t->width) return -1;
    if (t->tall) {
        image = row / t->height;
        row %= t->height;
    }
    if (row >= t->height || image >= t->images) return -1;
    element = image * t->image_stride + channel->element + row * t->row_stride + column * t->column_stride;
    return element < t->elements ? element : -1;
}

/* Goes through all bytes of a tensor: from `source` to memory, or from memory to `target`. */
static void move(struct wingrid *device, const struct wingrid_image_tensor *t, const uint8_t *source, uint8_t *target)
{
    const uint8_t flip = t->type == WINGRID_TYPE_UINT8 ? 0x80 : 0;
    const int32_t lanes = source ? t->beat_bytes : t->lanes;
    int32_t i, b, y, x, lane;
    for (i = 0; i < t->memory_images; ++i)
        for (b = 0; b < t->memory_blocks; ++b)
            for (lane = 0; lane < lanes; ++lane) {
                const uint32_t plane = (uint32_t)(i * t->memory_blocks + b) * (uint32_t)t->memory_rows;
                struct channel channel = {0, 0, 0, 0};
                if (lane < t->lanes) locate(device, t, b * t->lanes + lane, &channel);
                for (y = 0; y < t->memory_rows; ++y)
                    for (x = 0; x < t->memory_columns; ++x) {
                        const uint32_t pixel = (plane + (uint32_t)y) * (uint32_t)t->memory_columns + (uint32_t)x;
                        volatile uint8_t *byte =
                            device->memory + t->offset + pixel * (uint32_t)t->beat_bytes + (uint32_t)lane;
                        const int32_t element = element_of(t, &channel, i, y, x);
                        if (source) *byte = element < 0 ? (uint8_t)t->fill : (uint8_t)(source[element] ^ flip);
                        else if (element >= 0) target[element] = (uint8_t)(*byte ^ flip);
                    }
            }
}

int wingrid_write_tensor(struct wingrid *device, uint32_t index, const void *values)
{
    struct wingrid_image_tensor tensor;
    const int wrong = wingrid_tensor(device, index, &tensor);
    if (wrong) return wrong;
    move(device, &tensor, values, 0);
    barrier(device);
    return WINGRID_OK;
}

int wingrid_read_tensor(struct wingrid *device, uint32_t index, void *values)
{
    struct wingrid_image_tensor tensor;
    const int wrong = wingrid_tensor(device, index, &tensor);
    if (wrong) return wrong;
    barrier(device);
    move(device, &tensor, 0, values);
    return WINGRID_OK;
}

int wingrid_start(struct wingrid *device, uint32_t entry)
{
    struct wingrid_image_entry wanted;
    const int wrong = wingrid_entry(device, entry, &wanted);
    uint32_t status;
    if (wrong) return wrong;
    status = get(device, WINGRID_REG_STATUS);
    if (status & (WINGRID_STATUS_RUNNING | WINGRID_STATUS_RESETTING)) return WINGRID_BUSY;
    if (status & WINGRID_STATUS_FAULT) return WINGRID_FAULTY;
    set(device, WINGRID_REG_INTERRUPT_PENDING, 1);
    set(device, WINGRID_REG_INTERRUPT_ENABLE, device->polling ? 0 : 1);
    set(device, WINGRID_REG_BASE, (uint32_t)device->address);
    set(device, WINGRID_REG_BASE_HIGH, (uint32_t)(device->address >> 32));
    set(device, WINGRID_REG_PROGRAM, wanted.program);
    set(device, WINGRID_REG_PROGRAM_LENGTH, wanted.instructions);
    barrier(device);
    set(device, WINGRID_REG_CONTROL, WINGRID_CONTROL_START);
    return WINGRID_OK;
}

int wingrid_wait(struct wingrid *device, uint32_t microseconds)
{
    uint32_t status;
    int rose = 0;
    if (device->polling) {
        while (get(device, WINGRID_REG_STATUS) & WINGRID_STATUS_RUNNING && microseconds--)
            device->access->wait(device->context, 1);
    } else {
        rose = device->access->wait(device->context, microseconds);
    }
    status = get(device, WINGRID_REG_STATUS);
    if (status & WINGRID_STATUS_RUNNING) return WINGRID_TIMEOUT;
    set(device, WINGRID_REG_INTERRUPT_PENDING, 1);
    if (status & WINGRID_STATUS_FAULT) {
        device->fault_instruction = get(device, WINGRID_REG_FAULT_PC);
        return WINGRID_FAULT + (int)get(device, WINGRID_REG_FAULT);
    }
    if (!(status & WINGRID_STATUS_DONE)) return WINGRID_STOPPED;
    barrier(device);
    return device->polling || rose ? WINGRID_OK : WINGRID_NO_INTERRUPT;
}

int wingrid_run(struct wingrid *device, uint32_t entry, uint32_t microseconds)
{
    const int wrong = wingrid_start(device, entry);
    return wrong ? wrong : wingrid_wait(device, microseconds);
}

int wingrid_reset(struct wingrid *device, uint32_t microseconds)
{
    /* The interrupt would end the pauses at once. */
    set(device, WINGRID_REG_INTERRUPT_ENABLE, 0);
    set(device, WINGRID_REG_CONTROL, WINGRID_CONTROL_RESET);
    while (get(device, WINGRID_REG_STATUS) & (WINGRID_STATUS_RUNNING | WINGRID_STATUS_RESETTING | WINGRID_STATUS_FAULT)) {
        if (!microseconds--) return WINGRID_TIMEOUT;
        device->access->wait(device->context, 1);
    }
    set(device, WINGRID_REG_INTERRUPT_PENDING, 1);
    return WINGRID_OK;
}

uint64_t wingrid_counter(struct wingrid *device, uint32_t counter)
{
    /* A read of the low word keeps the high one for the next read. */
    const uint64_t low = get(device, WINGRID_COUNTER_BASE + 8 * counter);
    return low | (uint64_t)get(device, WINGRID_COUNTER_BASE + 8 * counter + 4) << 32;
}
