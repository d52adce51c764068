/*
 * Runs the network on each sample and prints what came out. All access to the accelerator is by the driver.
 *
 * Each line begins with a word, sample, counter, output, class or error, which the host reads. The image lies where the
 * memory begins that processor and accelerator share, values and samples behind all that it takes.
 */
#include "firmware.h"
#include "job.h"
#include "soc.h"
#include "wingrid_bare.h"
#include "wingrid_quantise.h"

static struct wingrid device;

static void require(int wrong)
{
    if (!wrong) return;
    print("error: ");
    print(wingrid_text(wrong));
    print("\n");
    end();
}

/* The elements of a value, as the processor sees them. */
static uint8_t *values_at(uint32_t place)
{
    return (uint8_t *)(SOC_MAIN_RAM + place);
}

static void take(const struct job_sample *input, uint32_t sample)
{
    const uint8_t *given = values_at(input->samples + sample * input->sample_bytes);
    const float *numbers = (const float *)(const void *)given;
    uint8_t *values = values_at(input->place);
    struct wingrid_image_tensor tensor;
    uint32_t i;
    require(wingrid_tensor(&device, input->tensor, &tensor));
    for (i = 0; i < input->elements; ++i) values[i] = input->real ? wingrid_quantise(&tensor, numbers[i]) : given[i];
}

static void run(uint32_t number)
{
    const struct job_entry *entry = &job_entries[number];
    uint32_t i;
    for (i = 0; i < entry->inputs_count; ++i)
        require(wingrid_write_tensor(&device, entry->inputs[i].tensor, values_at(entry->inputs[i].place)));
    require(wingrid_run(&device, number, 0xFFFFFFFF));
    for (i = 0; i < WINGRID_COUNTERS; ++i) {
        print("counter ");
        print_number(number);
        print(" ");
        print_number(i);
        print(" ");
        print_number(wingrid_counter(&device, i));
        print("\n");
    }
    for (i = 0; i < entry->outputs_count; ++i)
        require(wingrid_read_tensor(&device, entry->outputs[i].tensor, values_at(entry->outputs[i].place)));
}

static void leave(const struct job_left *output)
{
    const uint8_t *values = values_at(output->place);
    /* Offset by 128, int8 is in the order of uint8. */
    const uint8_t flip = output->is_signed ? 0x80 : 0;
    uint32_t i, best = 0;
    print("output ");
    print_number(output->tensor);
    print(" ");
    print_hexadecimal(values, output->elements);
    print("\n");
    if (!output->scores) return;
    for (i = 1; i < output->elements; ++i)
        if ((values[i] ^ flip) > (values[best] ^ flip)) best = i;
    print("class ");
    print_number(best);
    print("\n");
}

int main(void)
{
    static struct wingrid_bare bare = {0, 0, 0, 0, 0, 0};
    uint32_t sample, i;
    bare.registers = (volatile uint32_t *)SOC_WINGRID_REGISTERS;
    bare.pauses_per_microsecond = 1;
    bare.interrupt = &interrupted;
    bare.unmask = unmask;
    bare.synchronise = synchronise;
    bare.pause = pause;
    require(wingrid_open(&device, &wingrid_bare_access, &bare, values_at(0), JOB_IMAGE_MEMORY, SOC_MAIN_RAM));
    require(wingrid_attach(&device));
    for (sample = 0; sample < JOB_SAMPLES; ++sample) {
        print("sample ");
        print_number(sample);
        print("\n");
        for (i = 0; i < JOB_INPUTS; ++i) take(&job_samples[i], sample);
        for (i = 0; i < JOB_ENTRIES; ++i) run(i);
        for (i = 0; i < JOB_LEFT; ++i) leave(&job_left[i]);
    }
    end();
    return 0;
}
