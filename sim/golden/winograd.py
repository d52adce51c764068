"""Convolution by Winograd's transforms, with the widths and the exact division of the hardware.

``wingrid.hw.winograd_matrices`` holds the mathematics and names its source. Each stage of the datapath has its numpy
twin here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wingrid.hw.winograd_matrices import INT8, KERNEL, WinogradTransform, winograd
from wingrid.sim.golden.convolution import EXACT_FLOAT64, ConvolutionShape
from wingrid.sim.golden.window import Padding, Pair
from wingrid.sim.golden.workspace import share


def transform_inputs(patches: npt.NDArray[np.integer], tile: int) -> npt.NDArray[np.int64]:
    """B^T d B for each patch d of the last two axes, n x n for n = tile + 2."""
    return _on_both_sides(winograd(tile).input_matrix, patches)


def transform_weights(kernels: npt.NDArray[np.integer], tile: int) -> npt.NDArray[np.int64]:
    """G g G^T for each 3x3 kernel g of the last two axes."""
    return _on_both_sides(winograd(tile).kernel_matrix, kernels)


def transform_outputs(
    accumulators: npt.NDArray[np.int64], tile: int, accumulator_bits: int | None = None
) -> npt.NDArray[np.int64]:
    """A^T m A / scale for each n x n block m of the last two axes; only m modulo ``2**accumulator_bits`` matters.

    The result is signed and right wherever the true one fits into ``accumulator_bits - shift`` bits.
    """
    transform = winograd(tile)
    bits = _width(transform, accumulator_bits)
    scaled = wrap(_on_both_sides(transform.output_matrix, wrap(accumulators, bits)), bits)
    # int64 may wrap: that is modulo 2**64, a multiple of the modulus that is kept.
    return wrap((scaled >> transform.shift) * transform.inverse(bits), transform.answer_bits(bits))


def wrap(values: npt.NDArray[np.int64], bits: int) -> npt.NDArray[np.int64]:
    """The values modulo ``2**bits``, between ``-2**(bits - 1)`` and ``2**(bits - 1) - 1``."""
    unused = 64 - bits
    return (values << unused) >> unused


def require_fitting_answers(weights: npt.NDArray[np.int8], tile: int, accumulator_bits: int | None = None) -> None:
    """Raise ``ValueError`` if some int8 input could take a sum beyond what the accumulators bring back.

    ``weights`` is int8 [K, C // groups, kh, kw]: where a kernel is a sum of 3x3 ones, all of its taps count. Up to 512
    channels no 3x3 weights do so at the transform's own width.
    """
    bits = _answer_bits(tile, accumulator_bits)
    lowest, highest = INT8
    flat = weights.reshape(len(weights), -1).astype(np.int64)
    positive, negative = (np.maximum(sign * flat, 0).sum(axis=1) for sign in (1, -1))
    largest = int((highest * positive - lowest * negative).max())
    smallest = int((lowest * positive - highest * negative).min())
    if smallest < -(1 << bits - 1) or largest >= 1 << bits - 1:
        raise ValueError(
            f"sums from {smallest} to {largest} do not fit into the {bits} bits that Winograd tile {tile} brings back"
        )


def any_answers_fit(products: int, tile: int, accumulator_bits: int | None = None) -> bool:
    """Whether ``require_fitting_answers`` passes for any weights, ``products`` of them for each output channel."""
    lowest, highest = INT8
    limit = 1 << _answer_bits(tile, accumulator_bits) - 1
    return products * lowest * lowest < limit and products * lowest * highest >= -limit


def _answer_bits(tile: int, accumulator_bits: int | None) -> int:
    transform = winograd(tile)
    return transform.answer_bits(_width(transform, accumulator_bits))


def require_exact_products(tile: int, channels: int) -> None:
    """Raise ``ValueError`` unless sums over ``channels`` channels, before they wrap, are exact in float64."""
    transform = winograd(tile)
    largest = max(map(abs, transform.activation_range)) * max(map(abs, transform.weight_range)) * channels
    if largest >= EXACT_FLOAT64:
        raise ValueError(f"sums of up to {largest} could leave the integers that float64 holds, below 2**53")


def convolve_winograd(
    x: npt.NDArray[np.int8],
    weights: npt.NDArray[np.int8],
    *,
    tile: int,
    x_zero_point: int = 0,
    stride: Pair = (1, 1),
    padding: Padding = (0, 0, 0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    accumulator_bits: int | None = None,
) -> npt.NDArray[np.int64]:
    """The sums of ``convolve`` by F(tile x tile, 3 x 3), tile 2 or 4, int64 [K, OH, OW].

    The other arguments are those of ``convolve``; ``accumulator_bits`` defaults to the transform's own. Raises
    ``ValueError`` as ``convolve`` does, for anything but 3x3 kernels at stride and dilation 1, and for weights whose
    sums the accumulators could not bring back.
    """
    transform = winograd(tile)
    shape = ConvolutionShape.of(
        x,
        weights,
        x_zero_point=x_zero_point,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    if shape.taps != (KERNEL, KERNEL) or stride != (1, 1) or dilation != (1, 1):
        raise ValueError(
            f"Winograd needs a 3x3 kernel at stride and dilation 1, "
            f"not {shape.taps[0]}x{shape.taps[1]} at stride {stride} and dilation {dilation}"
        )
    require_fitting_answers(weights, tile, accumulator_bits)
    require_exact_products(tile, shape.channels)

    (rows, columns), size = shape.outputs, transform.patch
    tile_rows, tile_columns = -(-rows // tile), -(-columns // tile)
    top, left = padding[:2]
    # Whole tiles are computed; outputs past the last one are cut off at the end.
    below = tile_rows * tile + KERNEL - 1 - top - x.shape[1]
    beside = tile_columns * tile + KERNEL - 1 - left - x.shape[2]
    image = np.pad(x, ((0, 0), (top, below), (left, beside)), constant_values=x_zero_point)
    patches = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(1, 2))[:, ::tile, ::tile]
    kernels = transform_weights(weights, tile).reshape(groups, shape.kernels, shape.channels, size, size)
    kernels = np.ascontiguousarray(kernels.transpose(3, 4, 0, 1, 2), np.float64)

    answers = np.empty((shape.kernels * groups, tile_rows, tile, tile_columns, tile), np.int64)
    rows_at_once = share(tile_rows, groups * max(shape.channels, shape.kernels) * tile_columns * size**2)
    for row in range(0, tile_rows, rows_at_once):
        band = patches[:, row : row + rows_at_once]
        vectors = transform_inputs(band, tile).reshape(groups, shape.channels, -1, size, size)
        accumulators = kernels @ np.ascontiguousarray(vectors.transpose(3, 4, 0, 1, 2), np.float64)
        blocks = accumulators.astype(np.int64).transpose(2, 3, 4, 0, 1).reshape(-1, *band.shape[1:])
        answers[:, row : row + rows_at_once] = transform_outputs(blocks, tile, accumulator_bits).swapaxes(2, 3)
    sums = answers.reshape(len(weights), tile_rows * tile, tile_columns * tile)[:, :rows, :columns]
    return sums - x_zero_point * weights.sum(axis=(1, 2, 3), dtype=np.int64)[:, None, None]


def _on_both_sides(matrix: tuple[tuple[int, ...], ...], values: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """``matrix @ values @ matrix.T`` on the last two axes."""
    factor = np.array(matrix, np.int64)
    # Two products along one axis each: numpy's integer matmul is slow on many small matrices.
    across = np.tensordot(values.astype(np.int64), factor, axes=(-1, 1))
    return np.tensordot(across, factor, axes=(-2, 1)).swapaxes(-1, -2)


def _width(transform: WinogradTransform, accumulator_bits: int | None) -> int:
    if accumulator_bits is None:
        return transform.accumulator_bits
    if not transform.shift < accumulator_bits <= 64:
        raise ValueError(f"accumulator_bits {accumulator_bits} must lie between {transform.shift + 1} and 64")
    return accumulator_bits
