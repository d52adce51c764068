"""Picture filters as depthwise convolutions: one kernel over each colour."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.networks.inputs import load_array
from wingrid.host.networks.layer import Convolution, Layer, Operands
from wingrid.hw.isa import LARGEST_KERNEL


@dataclass(frozen=True)
class Filter:
    """A kernel of small integers and the factor that they are multiplied by.

    A kernel whose elements add up to zero answers to differences: its results are shown around mid-grey.
    """

    name: str
    weights: npt.NDArray[np.int8]
    scale: float

    @property
    def centred(self) -> bool:
        return int(self.weights.sum(dtype=np.int64)) == 0


def _built_in() -> dict[str, Filter]:
    binomial = np.array([1, 4, 6, 4, 1])
    smooth, difference = np.array([1, 2, 1]), np.array([-1, 0, 1])
    kernels = {
        "box": (np.ones((3, 3)), 1 / 9),
        "gaussian": (np.outer(binomial, binomial), 1 / 256),
        # The largest gradient, 4 * 255, comes out as half of the scale of grey.
        "sobel-x": (np.outer(smooth, difference), 1 / 8),
        "sobel-y": (np.outer(difference, smooth), 1 / 8),
    }
    return {name: Filter(name, weights.astype(np.int8), scale) for name, (weights, scale) in kernels.items()}


BUILT_IN = _built_in()


def find_filter(name: str) -> Filter:
    """The built-in filter of that name, or the kernel in a .npy file.

    Raises ``UserError`` if it is neither.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    if not name.endswith(".npy"):
        raise UserError(f"unknown kernel {name!r}; there are {', '.join(BUILT_IN)}, or give a .npy file")
    return from_values(Path(name).stem, load_array(name, "kernel "))


def from_values(name: str, values: npt.NDArray) -> Filter:
    """A filter that multiplies by these numbers: as they are if int8 holds them, else rounded to 8 bits."""
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype.kind not in "iufb" or not values.size:
        raise UserError(f"kernel {name} must be a two-dimensional array of real numbers")
    if max(values.shape) > LARGEST_KERNEL:
        raise UserError(f"kernel {name} has {values.shape} elements; at most {LARGEST_KERNEL} in a row or column")
    values = values.astype(np.float64)
    largest = float(np.abs(values).max())
    if not np.isfinite(largest) or largest == 0:
        raise UserError(f"kernel {name} must hold finite numbers that are not all zero")
    if largest <= 127 and np.array_equal(values, np.rint(values)):
        return Filter(name, values.astype(np.int8), 1.0)
    scale = largest / 127
    return Filter(name, np.rint(values / scale).astype(np.int8), scale)


def filter_layer(kernel: Filter, height: int, width: int, stride: int) -> tuple[Layer, Operands]:
    """The depthwise layer that filters 3 colours of height x width pixels, already extended by ``extended``."""
    shape = Convolution(
        3,
        height,
        width,
        3,
        kernel=(kernel.weights.shape[0], kernel.weights.shape[1]),
        stride=(stride, stride),
        groups=3,
    )
    layer = Layer(kernel.name, "conv", shape, x_zero_point=-128, y_zero_point=0 if kernel.centred else -128)
    weights = np.repeat(kernel.weights[None, None], 3, axis=0)
    scales = np.full(3, kernel.scale, np.float32)
    return layer, Operands(weights, np.zeros(3, np.int32), scales)


def extended(pixels: npt.NDArray[np.uint8], kernel: Filter) -> npt.NDArray[np.uint8]:
    """The picture with its edges repeated outwards, so that the filtered one is as large and has no dark rim."""
    margins = [((size - 1) // 2, size // 2) for size in kernel.weights.shape]
    return np.pad(pixels, (*margins, (0, 0)), mode="edge")
