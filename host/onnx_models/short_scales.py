"""Ranges of activations, widened until their scales have few significant bits.

A byte less its zero point, times such a scale, is exact in float32, and so is the sum of as many of them as a window
has pixels. Averages, which ONNX Runtime computes in floating point, then are functions of the sum of bytes, whatever
the order of their terms, so that the accelerator can compute them. Tensors that are added keep their ranges
(``wingrid.host.onnx_models.calibrating``).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

SIGNIFICANT_BITS = 10
"""Of a scale. Sums of 64 products with bytes take 14 bits more, as many as float32 has; the range grows by a
thousandth at most."""

MANTISSA_BITS = np.finfo(np.float32).nmant + 1
"""Of the integers up to which float32 holds all."""

STEPS = 255
"""From the lowest to the highest byte."""


def with_short_scale(
    lowest: npt.NDArray[np.floating], highest: npt.NDArray[np.floating], bits: int = SIGNIFICANT_BITS
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """The range, zero included, as multiples of a scale of few bits: from -z to 255 - z of them, z the zero point."""
    low, high = min(float(lowest.min()), 0.0), max(float(highest.max()), 0.0)
    fraction, exponent = math.frexp((high - low) / STEPS)
    scale = math.ldexp(math.ceil(math.ldexp(fraction, bits)), exponent - bits)
    if not scale:
        return lowest, highest
    zero_point = round(-low / scale)
    return np.full_like(lowest, -zero_point * scale), np.full_like(highest, (STEPS - zero_point) * scale)


def sums_are_exact(scale: float, largest: int) -> bool:
    """Whether float32 holds every multiple of a scale up to the ``largest`` one."""
    odd, _ = scale.as_integer_ratio()
    odd //= odd & -odd
    return odd * largest <= 1 << MANTISSA_BITS
