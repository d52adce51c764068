"""Convolution through the frequency domain, rounded to the integers that it must have come from."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from wingrid.sim.golden.convolution import ConvolutionShape
from wingrid.sim.golden.window import Padding, Pair
from wingrid.sim.golden.workspace import share

ROUNDOFF = 2.0**-53
"""Relative rounding error of a float64 operation."""

STAGE_ERROR = ROUNDOFF * (1 + 4 * (1 + math.sqrt(2)))
"""Relative error in the 2-norm that a radix-2 stage adds, with twiddle factors exact to ``ROUNDOFF``.

Higham, "Accuracy and Stability of Numerical Algorithms" (2002), theorem 24.2:
mu + gamma_4 * (sqrt(2) + mu), here rounded up.
"""

SAFE_ERROR = 0.25
"""Rounding is right for any error below one half; this leaves a factor of two for terms of second order."""


def convolve_fft(
    x: npt.NDArray[np.int8],
    weights: npt.NDArray[np.int8],
    *,
    x_zero_point: int = 0,
    stride: Pair = (1, 1),
    padding: Padding = (0, 0, 0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> npt.NDArray[np.int64]:
    """The sums of ``convolve`` for the same arguments, int64 [K, OH, OW], by fast Fourier transforms.

    Raises ``ValueError`` as ``convolve`` does, and where ``error_bound`` does not promise that rounding is right.
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
    image = np.pad(x.astype(np.float64) - x_zero_point, ((0, 0), (top, bottom), (left, right)))
    image = image.reshape(groups, shape.channels, *image.shape[1:])
    kernels = weights.reshape(groups, shape.kernels, shape.channels, *shape.taps)
    # A circular correlation as long as the image wraps only where its kernel overhangs, which is no output.
    # Powers of two, as the bound is stated for them.
    size = tuple(1 << (length - 1).bit_length() for length in image.shape[2:])
    bound = error_bound(image, kernels, size)
    if not bound < SAFE_ERROR:
        raise ValueError(f"an error of up to {bound:.3g} could take the FFT's sums to a wrong integer")

    spectrum = np.fft.rfft2(image, size)
    sums = np.empty((groups, shape.kernels, *shape.outputs), np.int64)
    chosen_outputs = tuple(
        slice(0, (count - 1) * step + 1, step) for count, step in zip(shape.outputs, stride, strict=True)
    )
    kernels_at_once = share(shape.kernels, groups * shape.channels * size[0] * size[1])
    for kernel in range(0, shape.kernels, kernels_at_once):
        chosen = slice(kernel, kernel + kernels_at_once)
        spread = np.zeros((*kernels[:, chosen].shape[:3], *size))
        down, across = ((taps - 1) * step + 1 for taps, step in zip(shape.taps, dilation, strict=True))
        spread[..., : down : dilation[0], : across : dilation[1]] = kernels[:, chosen]
        product = np.einsum("gkcyx,gcyx->gkyx", np.conj(np.fft.rfft2(spread)), spectrum)
        sums[:, chosen] = np.rint(np.fft.irfft2(product, size)[:, :, *chosen_outputs])
    return sums.reshape(-1, *shape.outputs)


def error_bound(image: npt.NDArray[np.float64], kernels: npt.NDArray[np.int8], size: Pair) -> float:
    """The largest error that rounding in float64 can leave in any sum, to first order.

    ``image`` is [groups, C, H, W], ``kernels`` [groups, K, C, kh, kw], ``size`` that of the transforms.
    Each of the three transforms has ``log2`` of the size stages, the product and the sum over
    C channels round C + 4 times more. An error relative to the 2-norm of a channel's image reaches an
    output at most magnified by the 1-norm of its kernel (Young's inequality).
    """
    stages = math.log2(size[0] * size[1])
    relative = 3 * stages * STAGE_ERROR + (image.shape[1] + 4) * ROUNDOFF
    magnitudes = np.abs(kernels.astype(np.int64)).sum(axis=(3, 4)) @ np.linalg.norm(image, axis=(2, 3))[..., None]
    return relative * float(magnitudes.max())
