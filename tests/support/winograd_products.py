"""What accumulators hold after a Winograd convolution, for tests of what follows them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from signed_numbers import extremes, wrapped

from wingrid.hw.winograd_matrices import KERNEL, winograd


def winograd_sums(random: np.random.Generator, tile: int, tiles: int, bits: int) -> npt.NDArray[np.int64]:
    """Sums of products [tiles, n, n], modulo ``2**bits``: int8 operands times 512, or wide ones that wrap."""
    transform = winograd(tile)
    inputs, kernels = np.array(transform.input_matrix, object), np.array(transform.kernel_matrix, object)
    sums = np.zeros((tiles, transform.patch, transform.patch), object)
    for operand_bits, times in ((8, 512), (8, -1), (24, 1)):
        patches = extremes(random, operand_bits, (tiles, transform.patch, transform.patch)).astype(object)
        taps = extremes(random, operand_bits, (tiles, KERNEL, KERNEL)).astype(object)
        chosen = random.integers(0, 2, (tiles, 1, 1))
        sums += times * chosen * (inputs @ patches @ inputs.T) * (kernels @ taps @ kernels.T)
    return wrapped((sums % (1 << bits)).astype(np.int64), bits)
