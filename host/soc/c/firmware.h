/* What the firmware's parts know of each other. */
#ifndef FIRMWARE_H
#define FIRMWARE_H

#include <stdint.h>

/* The UART, see uart.c. */
void print(const char *text);
void print_number(uint64_t number);
void print_hexadecimal(const uint8_t *bytes, uint32_t count);
void end(void);

/* The processor, see processor.c. */
extern volatile int interrupted; /* set by the accelerator's interrupt, which is then masked */
void unmask(void);
void synchronise(void);
void pause(void);

#endif
