/* See wingrid_quantise.h. Elements are bytes; those of an int8 tensor are its two's complement. */
#include "wingrid_quantise.h"

uint8_t wingrid_quantise(const struct wingrid_image_tensor *tensor, float value)
{
    const int32_t low = tensor->type == WINGRID_TYPE_UINT8 ? 0 : -128, high = low + 255;
    const float steps = value / tensor->scale;
    int32_t whole, element;
    float rest;
    if (steps != steps) return (uint8_t)tensor->zero_point;
    /* Beyond 512 steps all saturates, and up to there floats hold halves exactly. */
    if (steps >= 512) return (uint8_t)high;
    if (steps <= -512) return (uint8_t)low;
    whole = (int32_t)steps;
    rest = steps - (float)whole;
    if (rest > 0.5F || (rest == 0.5F && whole % 2)) ++whole;
    if (rest < -0.5F || (rest == -0.5F && whole % 2)) --whole;
    element = whole + tensor->zero_point;
    return (uint8_t)(element < low ? low : element > high ? high : element);
}

float wingrid_dequantise(const struct wingrid_image_tensor *tensor, uint8_t element)
{
    const int32_t value = tensor->type == WINGRID_TYPE_UINT8 || element < 128 ? element : (int32_t)element - 256;
    return (float)(value - tensor->zero_point) * tensor->scale;
}
