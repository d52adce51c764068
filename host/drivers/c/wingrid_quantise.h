/* Real numbers as a tensor's int8 or uint8 elements, and back. Needs floating point: an FPU, or the compiler's library. */
#ifndef WINGRID_QUANTISE_H
#define WINGRID_QUANTISE_H

#include "wingrid.h"

/* saturate(round_half_even(value / scale) + zero_point), as ONNX's QuantizeLinear; NaN becomes the zero point. */
uint8_t wingrid_quantise(const struct wingrid_image_tensor *tensor, float value);

/* (element - zero_point) * scale, as ONNX's DequantizeLinear. */
float wingrid_dequantise(const struct wingrid_image_tensor *tensor, uint8_t element);

#endif
