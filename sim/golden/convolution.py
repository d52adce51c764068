"""Exact integer sums of convolutions and matrix products, before bias and requantisation.

``convolve`` gathers patches (im2col) and leaves the sums to float64 BLAS; ``convolve_direct`` is the
independent check: integers only, another treatment of the padding, no library product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wingrid.sim.golden.window import Padding, Pair, output_size, require_int8, require_zero_point, taps_over
from wingrid.sim.golden.workspace import share

EXACT_FLOAT64 = 1 << 53
"""Integers of smaller magnitude, and so their sums in any order, are exact in float64."""


@dataclass(frozen=True)
class ConvolutionShape:
    """The sizes of a convolution whose operands have been checked against each other."""

    groups: int
    channels: int
    """Input channels in a group."""
    kernels: int
    """Output channels in a group."""
    taps: Pair
    outputs: Pair

    @classmethod
    def of(
        cls,
        x: npt.NDArray[np.int8],
        weights: npt.NDArray[np.int8],
        *,
        x_zero_point: int,
        stride: Pair,
        padding: Padding,
        dilation: Pair,
        groups: int,
    ) -> ConvolutionShape:
        """Check the arguments of ``convolve``; raises ``ValueError`` saying what does not fit."""
        require_int8("x", x, 3)
        require_int8("weights", weights, 4)
        require_zero_point("x_zero_point", x_zero_point)
        channels, height, width = x.shape
        kernels, group_channels, *taps = weights.shape
        if groups < 1 or channels != groups * group_channels or kernels % groups:
            raise ValueError(
                f"{groups} groups do not fit {channels} input channels and weights of shape {weights.shape}"
            )
        top, left, bottom, right = padding
        rows = output_size(height, taps[0], stride=stride[0], padding=(top, bottom), dilation=dilation[0])
        columns = output_size(width, taps[1], stride=stride[1], padding=(left, right), dilation=dilation[1])
        return cls(groups, group_channels, kernels // groups, (taps[0], taps[1]), (rows, columns))


def convolve(
    x: npt.NDArray[np.int8],
    weights: npt.NDArray[np.int8],
    *,
    x_zero_point: int = 0,
    stride: Pair = (1, 1),
    padding: Padding = (0, 0, 0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> npt.NDArray[np.int64]:
    """The sums of ``(x - x_zero_point) * weights`` under every window, int64 [K, OH, OW].

    ``x`` is int8 [C, H, W], ``weights`` int8 [K, C // groups, kh, kw]. ``padding`` (top, left, bottom,
    right) is filled with the zero point, so it adds nothing. Weights are not flipped, as in ONNX.
    Raises ``ValueError`` for operands that do not fit together, or whose sums could leave float64's integers.
    """
    shape = ConvolutionShape.of(
        x,
        weights,
        x_zero_point=x_zero_point,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    top, left, bottom, right = padding
    centred = np.pad(x.astype(np.int16) - np.int16(x_zero_point), ((0, 0), (top, bottom), (left, right)))
    centred = centred.reshape(groups, shape.channels, *centred.shape[1:])
    matrices = weights.reshape(groups, shape.kernels, -1)
    check_exact(matrices.shape[-1])

    rows, columns = shape.outputs
    patch = shape.channels * shape.taps[0] * shape.taps[1]
    rows_at_once = share(rows, groups * max(patch, shape.kernels) * columns)
    kernels_at_once = share(shape.kernels, groups * patch)
    sums = np.empty((groups, shape.kernels, rows, columns), np.int64)
    for row in range(0, rows, rows_at_once):
        band = slice(row, min(row + rows_at_once, rows))
        outputs = (band.stop - band.start, columns)
        patches = np.empty((groups, shape.channels, *shape.taps, *outputs))
        for ky, kx in np.ndindex(shape.taps):
            patches[:, :, ky, kx] = taps_over(
                centred[:, :, row * stride[0] :], (ky, kx), outputs, stride=stride, dilation=dilation
            )
        vectors = patches.reshape(groups, patch, -1)
        for kernel in range(0, shape.kernels, kernels_at_once):
            chosen = slice(kernel, min(kernel + kernels_at_once, shape.kernels))
            products = matrices[:, chosen].astype(np.float64) @ vectors
            sums[:, chosen, band] = products.reshape(groups, -1, *outputs)
    return sums.reshape(-1, rows, columns)


def convolve_direct(
    x: npt.NDArray[np.int8],
    weights: npt.NDArray[np.int8],
    *,
    x_zero_point: int = 0,
    stride: Pair = (1, 1),
    padding: Padding = (0, 0, 0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> npt.NDArray[np.int64]:
    """The sums of ``convolve``, tap by tap in int64 and without a padded copy; arguments and errors are the same.

    For each tap it finds which outputs see a real pixel there, and adds to those only.
    """
    shape = ConvolutionShape.of(
        x,
        weights,
        x_zero_point=x_zero_point,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    centred = (x.astype(np.int64) - x_zero_point).reshape(groups, shape.channels, *x.shape[1:])
    kernels = weights.astype(np.int64).reshape(groups, shape.kernels, *weights.shape[1:])
    sums = np.zeros((groups, shape.kernels, *shape.outputs), np.int64)
    for ky, kx in np.ndindex(shape.taps):
        down, from_rows = _seen(x.shape[1], shape.outputs[0], ky * dilation[0] - padding[0], stride[0])
        across, from_columns = _seen(x.shape[2], shape.outputs[1], kx * dilation[1] - padding[1], stride[1])
        pixels = centred[:, :, from_rows, from_columns]
        sums[:, :, down, across] += np.einsum("gkc,gcyx->gkyx", kernels[..., ky, kx], pixels)
    return sums.reshape(-1, *shape.outputs)


def matrix_product(
    x: npt.NDArray[np.int8], weights: npt.NDArray[np.int8], *, x_zero_point: int = 0
) -> npt.NDArray[np.int64]:
    """The sums of a fully connected layer, ``(x - x_zero_point) @ weights.T``, int64 [N, K].

    ``x`` is int8 [N, C], ``weights`` int8 [K, C]. Raises ``ValueError`` as ``convolve`` does.
    """
    require_int8("x", x, 2)
    require_int8("weights", weights, 2)
    require_zero_point("x_zero_point", x_zero_point)
    if x.shape[1] != weights.shape[1]:
        raise ValueError(f"x of shape {x.shape} and weights of shape {weights.shape} differ in channels")
    centred = x.astype(np.int16) - np.int16(x_zero_point)
    check_exact(weights.shape[-1])
    vectors = centred.astype(np.float64)
    sums = np.empty((len(x), len(weights)), np.int64)
    kernels_at_once = share(len(weights), max(x.shape))
    for kernel in range(0, len(weights), kernels_at_once):
        chosen = slice(kernel, kernel + kernels_at_once)
        sums[:, chosen] = vectors @ weights[chosen].astype(np.float64).T
    return sums


def check_exact(products: int) -> None:
    """Raise ``ValueError`` unless sums of that many products stay within float64's integers.

    A product is at most 255 * 128, so ``products`` of them bound every partial sum, whatever the order of
    summation and whether or not additions are fused with multiplications.
    """
    bound = products * 255 * 128
    if bound >= EXACT_FLOAT64:
        raise ValueError(f"sums of up to {bound} could leave the integers that float64 holds, below 2**53")


def _seen(size: int, outputs: int, offset: int, stride: int) -> tuple[slice, slice]:
    """The outputs o whose element at ``o * stride + offset`` lies within ``size``, and those elements."""
    first = max(0, -(offset // stride))
    last = min(outputs - 1, (size - 1 - offset) // stride)
    if last < first:
        return slice(0, 0), slice(0, 0)
    return slice(first, last + 1), slice(first * stride + offset, last * stride + offset + 1, stride)
