"""From exact sums to int8: once as ONNX Runtime's float32 formula, once as the hardware's integer steps.

Sums have their output channel on the first axis and include the bias. Both functions give the same
bits; the scales of ``requantise_integer`` go through ``encode_scale``, as they do on their way to the hardware.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from wingrid.hw.isa import PARAMETER_BYTES, PARAMETER_FIELDS, placed
from wingrid.sim.golden.window import require_zero_point

SIGNIFICAND_BITS = 24
"""Significant bits of a float32, to which the sum and its product with the scale are rounded."""

SMALLEST_EXPONENT = -128
"""The least exponent that an int8 holds. Below 2**-127 a scale takes every int32 to 0, so clamping is exact."""


def requantise_scale(x_scale: npt.ArrayLike, w_scale: npt.ArrayLike, y_scale: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """``x_scale * w_scale / y_scale``, float32 of the operands' common shape, rounded after each of the two steps.

    The order is ONNX Runtime's; another one differs in the last bit. Raises ``ValueError`` where the
    result is not a finite number of at least 0.
    """
    x, w, y = (np.asarray(scale, np.float32) for scale in (x_scale, w_scale, y_scale))
    with np.errstate(all="ignore"):
        scales = np.asarray(x * w / y, np.float32)
    _require_scales(scales)
    return scales


def requantise(
    accumulators: npt.NDArray[np.integer],
    scales: npt.NDArray[np.float32],
    *,
    zero_point: int,
    minimum: int = -128,
    maximum: int = 127,
) -> npt.NDArray[np.int8]:
    """``clamp(round_half_even(f32(f32(accumulators) * scales)) + zero_point)``, int8 of the accumulators' shape.

    ``accumulators`` holds int32 values in any integer type, [K, ...]; ``scales`` is float32 [K].
    Raises ``ValueError`` for sums outside of int32, scales that are negative or not finite, and a
    zero point or clamp that int8 does not hold.
    """
    _require_operands(accumulators, scales, zero_point, minimum, maximum)
    with np.errstate(over="ignore", under="ignore"):
        products = accumulators.astype(np.float32) * _per_channel(scales, accumulators)
    # Anything beyond 512 saturates whatever the zero point, and up to there float32 adds integers exactly.
    rounded = np.clip(np.rint(products), -512, 512)
    return np.clip(rounded + np.float32(zero_point), minimum, maximum).astype(np.int8)


def requantise_integer(
    accumulators: npt.NDArray[np.integer],
    scales: npt.NDArray[np.float32],
    *,
    zero_point: int,
    minimum: int = -128,
    maximum: int = 127,
) -> npt.NDArray[np.int8]:
    """The results of ``requantise`` for the same arguments, in the five integer steps of the hardware.

    Signs are set aside first: rounding half to even is symmetric.
    """
    _require_operands(accumulators, scales, zero_point, minimum, maximum)
    sums = accumulators.astype(np.int64)
    encoded = np.array([encode_scale(scale) for scale in scales], np.int64).reshape(-1, 2)
    mantissas, exponents = (_per_channel(column, sums) for column in encoded.T)

    significand, dropped = _round_to_significand(np.abs(sums))
    product = significand * mantissas
    significand, dropped_again = _round_to_significand(product)
    # Significands below 2**25 vanish when shifted right by 40. Shifted left, a product is far beyond int8,
    # or zero, as neither the sum nor a mantissa of at least 2**23 contributes fractions: one place left is enough.
    fraction_bits = np.clip(23 - exponents - dropped - dropped_again, -1, 40)
    magnitude = np.where(
        fraction_bits < 0, significand << 1, _shift_half_even(significand, np.maximum(fraction_bits, 0))
    )
    return np.clip(np.where(sums < 0, -magnitude, magnitude) + zero_point, minimum, maximum).astype(np.int8)


def encode_scale(scale: float | np.float32) -> tuple[int, int]:
    """The float32 ``scale`` as ``(mantissa, exponent)`` of ``wingrid.hw.isa.PARAMETER_FIELDS``.

    It stands for ``mantissa * 2**(exponent - 23)``, where mantissa lies in [2**23, 2**24), or is 0 for a scale
    of 0. Exponents of subnormal scales are clamped to int8, where every int32 gives 0 either way.
    Raises ``ValueError`` for a scale that is negative or not finite.
    """
    with np.errstate(over="ignore"):
        single = np.float32(scale)
    _require_scales(single)
    fraction, exponent = math.frexp(float(single))
    if not fraction:
        return 0, 0
    return int(fraction * (1 << SIGNIFICAND_BITS)), max(exponent - 1, SMALLEST_EXPONENT)


def encode_parameters(
    bias: npt.NDArray[np.int32], scales: npt.NDArray[np.float32], block: int
) -> npt.NDArray[np.uint8]:
    """The parameters of K channels as they lie in memory, uint8 [blocks, PARAMETER_BYTES, block].

    Plane i of a block holds byte i (little-endian ``PARAMETER_FIELDS``) of each of its channels;
    channels past the last are zero. ``bias`` is int32 [K], ``scales`` float32 [K], ``block`` the
    array's columns. Raises ``ValueError`` for operands that do not fit.
    """
    if bias.dtype != np.int32 or bias.ndim != 1 or scales.shape != bias.shape or not len(bias) or block < 1:
        raise ValueError(
            f"bias must be int32 [K] and scales [K] of blocks of at least one channel, "
            f"not {bias.dtype} {bias.shape} and {scales.shape} in blocks of {block}"
        )
    mantissas, exponents = np.array([encode_scale(scale) for scale in scales], np.int64).T
    words = np.zeros(-(-len(bias) // block) * block, np.uint64)
    values = {"bias": bias.astype(np.int64), "mantissa": mantissas, "exponent": exponents}
    for name, bits, offset in placed(PARAMETER_FIELDS):
        words[: len(bias)] |= (values[name] & ((1 << bits.width) - 1)).astype(np.uint64) << np.uint64(offset)
    planes = words.astype("<u8").view(np.uint8).reshape(-1, block, words.itemsize)
    return np.ascontiguousarray(planes[..., :PARAMETER_BYTES].transpose(0, 2, 1))


def _require_scales(scales: npt.NDArray[np.float32] | np.float32) -> None:
    wrong = ~(np.isfinite(scales) & (scales >= 0))
    if np.any(wrong):
        raise ValueError(f"scale {np.asarray(scales)[wrong].flat[0]} must be finite and at least 0")


def _require_operands(
    accumulators: npt.NDArray[np.integer], scales: npt.NDArray[np.float32], zero_point: int, minimum: int, maximum: int
) -> None:
    if scales.dtype != np.float32 or scales.ndim != 1 or accumulators.shape[:1] != scales.shape:
        raise ValueError(
            f"scales must be float32, one for each of the first axis of {accumulators.shape}, "
            f"not {scales.dtype} {scales.shape}"
        )
    _require_scales(scales)
    require_zero_point("zero_point", zero_point)
    if not -128 <= minimum <= maximum <= 127:
        raise ValueError(f"the clamp from {minimum} to {maximum} must be an interval within int8")
    limits = np.iinfo(np.int32)
    if accumulators.size and not limits.min <= accumulators.min() <= accumulators.max() <= limits.max:
        raise ValueError(f"sums from {accumulators.min()} to {accumulators.max()} do not fit into int32")


def _per_channel(values: npt.NDArray, like: npt.NDArray) -> npt.NDArray:
    return values.reshape(-1, *[1] * (like.ndim - 1))


def _round_to_significand(magnitude: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The leading bits of each, rounded half to even, and how many bits were dropped.

    Rounding up may carry into a 25th bit; the value is right all the same, its lowest bit being zero.
    """
    dropped = np.maximum(_bit_length(magnitude) - SIGNIFICAND_BITS, 0)
    return _shift_half_even(magnitude, dropped), dropped


def _shift_half_even(magnitude: npt.NDArray[np.int64], places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """``magnitude / 2**places``, rounded half to even."""
    quotient = magnitude >> places
    # Just under half, plus the quotient's lowest bit: a tie carries exactly if the quotient is odd.
    rounding = ((np.int64(1) << places) >> 1) - 1 + (quotient & 1)
    return np.where(places > 0, (magnitude + rounding) >> places, magnitude)


def _bit_length(magnitude: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Like ``int.bit_length``, by bisection."""
    length = np.zeros_like(magnitude)
    rest = magnitude
    for step in (32, 16, 8, 4, 2, 1):
        longer = rest >= (1 << step)
        length += np.where(longer, step, 0)
        rest = np.where(longer, rest >> step, rest)
    return length + rest
