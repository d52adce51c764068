/* LiteX's UART. */
#include "firmware.h"
#include "soc.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* The host ends the simulation when it reads it. */
#define END_OF_TRANSMISSION 4

static void put(char letter)
{
    while (REGISTER(SOC_UART_TXFULL)) {
    }
    REGISTER(SOC_UART_RXTX) = (uint8_t)letter;
}

void print(const char *text)
{
    while (*text) put(*text++);
}

void print_number(uint64_t number)
{
    char digits[20];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (count) put(digits[--count]);
}

void print_hexadecimal(const uint8_t *bytes, uint32_t count)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t i;
    for (i = 0; i < count; ++i) {
        put(digits[bytes[i] >> 4]);
        put(digits[bytes[i] & 15]);
    }
}

void end(void)
{
    put(END_OF_TRANSMISSION);
    for (;;) {
    }
}
