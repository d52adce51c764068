"""Geometry that convolution and pooling share: where windows lie over a padded image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pair = tuple[int, int]
"""Vertical, then horizontal."""

Padding = tuple[int, int, int, int]
"""Top, left, bottom, right, as ONNX orders its ``pads``."""


def output_size(
    size: int, kernel: int, *, stride: int = 1, padding: Pair = (0, 0), dilation: int = 1, ceil_mode: bool = False
) -> int:
    """Number of windows along one axis of ``size`` elements; ``padding`` lies before and after them.

    With ``ceil_mode`` a last window that overhangs the padded axis counts as long as it starts
    before the padding at the end, ONNX Runtime's rule. Raises ``ValueError`` if no window fits.
    """
    before, after = padding
    if min(size, kernel, stride, dilation) < 1 or min(before, after) < 0:
        raise ValueError(
            f"size {size}, kernel {kernel}, stride {stride}, dilation {dilation} must be at least 1 "
            f"and padding {padding} at least 0"
        )
    room = size + before + after - (dilation * (kernel - 1) + 1)
    if room < 0:
        raise ValueError(
            f"a kernel of {kernel} with dilation {dilation} does not fit into {size} elements with padding {padding}"
        )
    if not ceil_mode:
        return room // stride + 1
    windows = -(-room // stride) + 1
    return windows - 1 if (windows - 1) * stride >= size + before else windows


def taps_over(padded: npt.NDArray, tap: Pair, outputs: Pair, *, stride: Pair, dilation: Pair = (1, 1)) -> npt.NDArray:
    """The view of ``padded`` [..., H, W] that holds, for each of ``outputs``, the element under one tap."""
    top, left = (position * step for position, step in zip(tap, dilation, strict=True))
    (rows, columns), (down, right) = outputs, stride
    return padded[..., top : top + (rows - 1) * down + 1 : down, left : left + (columns - 1) * right + 1 : right]


def require_int8(name: str, values: npt.NDArray, dimensions: int) -> None:
    """Raise ``ValueError`` unless ``values`` is an int8 array of that many dimensions, none of them empty."""
    if values.dtype != np.int8 or values.ndim != dimensions or not values.size:
        raise ValueError(
            f"{name} must be a non-empty int8 array of {dimensions} dimensions, "
            f"not {values.dtype} of shape {values.shape}"
        )


def require_zero_point(name: str, value: int) -> None:
    """Raise ``ValueError`` unless ``value`` is one that int8 holds."""
    if not -128 <= value <= 127:
        raise ValueError(f"{name} {value} must lie between -128 and 127")
