"""Max pooling on int8."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wingrid.sim.golden.window import Padding, Pair, output_size, require_int8, taps_over


def max_pool(
    x: npt.NDArray[np.int8], *, window: Pair, stride: Pair, padding: Padding = (0, 0, 0, 0), ceil_mode: bool = False
) -> npt.NDArray[np.int8]:
    """The largest element under every window, int8 [C, OH, OW] from int8 [C, H, W].

    Padding (top, left, bottom, right) never wins. It must be smaller than the window, so that every
    window sees an element; ``ValueError`` otherwise. ``ceil_mode`` keeps windows that overhang the end.
    """
    require_int8("x", x, 3)
    top, left, bottom, right = padding
    if max(top, bottom) >= window[0] or max(left, right) >= window[1]:
        raise ValueError(f"padding {padding} must be smaller than the window {window}")
    _, height, width = x.shape
    rows = output_size(height, window[0], stride=stride[0], padding=(top, bottom), ceil_mode=ceil_mode)
    columns = output_size(width, window[1], stride=stride[1], padding=(left, right), ceil_mode=ceil_mode)
    # In ceil mode the last window reaches past the padding; without it, the stride may leave some over.
    below = max(bottom, (rows - 1) * stride[0] + window[0] - height - top)
    beside = max(right, (columns - 1) * stride[1] + window[1] - width - left)
    padded = np.pad(x, ((0, 0), (top, below), (left, beside)), constant_values=-128)
    largest = np.full((len(x), rows, columns), -128, np.int8)
    for tap in np.ndindex(window):
        np.maximum(largest, taps_over(padded, (tap[0], tap[1]), (rows, columns), stride=stride), out=largest)
    return largest
