/* What the generated job.h says, in tables. Places are offsets in the memory that holds the image. */
#ifndef JOB_TABLES_H
#define JOB_TABLES_H

#include <stdint.h>

/* An input of the network: each sample is copied to its place before the first entry. */
struct job_sample {
    uint32_t tensor; /* in the image's table */
    uint32_t place;
    uint32_t samples; /* place of the first sample */
    uint32_t sample_bytes;
    uint32_t elements;
    uint32_t real; /* 1: samples are floats, to be quantised */
};

/* A tensor and the place of its elements. */
struct job_move {
    uint32_t tensor;
    uint32_t place;
};

/* A start of the accelerator, what is written before it and read after it. */
struct job_entry {
    const struct job_move *inputs;
    uint32_t inputs_count;
    const struct job_move *outputs;
    uint32_t outputs_count;
};

/* What is printed in the end. */
struct job_left {
    uint32_t tensor;
    uint32_t place;
    uint32_t elements;
    uint32_t scores; /* 1: the largest element names a class */
    uint32_t is_signed;
};

#endif
