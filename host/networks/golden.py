"""What a layer must compute, by the golden model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wingrid.host.networks.layer import Layer, Operands
from wingrid.sim.golden.combination import combined
from wingrid.sim.golden.convolution import convolve
from wingrid.sim.golden.lookup import looked_up
from wingrid.sim.golden.pooling import max_pool
from wingrid.sim.golden.requantise import requantise


def golden(
    layer: Layer, operands: Operands, x: npt.NDArray[np.int8], addend: npt.NDArray[np.int8] | None = None
) -> npt.NDArray[np.int8]:
    """The layer's output, pooled if it pools, int8 [images, K, OH, OW], for int8 [images, C, H, W].

    ``addend``, int8 of ``layer.addend_shape``, is what a layer with a combination combines.
    """
    shape = layer.shape
    results = []
    top, left, bottom, right = shape.padding
    x = x[:, :, max(0, -top) : shape.height + min(0, bottom), max(0, -left) : shape.width + min(0, right)]
    for position, image in enumerate(x):
        sums = convolve(
            image,
            operands.weights,
            x_zero_point=layer.x_zero_point,
            stride=shape.stride,
            padding=(max(0, top), max(0, left), max(0, bottom), max(0, right)),
            dilation=shape.dilation,
            groups=shape.groups,
        )
        y = requantise(
            sums + operands.bias.astype(np.int64)[:, None, None],
            operands.scales,
            zero_point=layer.y_zero_point,
            minimum=layer.minimum,
            maximum=layer.maximum,
        )
        if layer.lookup:
            assert operands.table is not None, "a layer with a lookup has a table"
            y = looked_up(y, operands.table)
        if combination := layer.combination:
            assert addend is not None, "a layer with a combination has something to combine"
            y = combined(combination.kind, y, addend[position], **combination.numbers)
        if pool := layer.pool:
            y = max_pool(y, window=(pool.side, pool.side), stride=(pool.stride, pool.stride))
        results.append(y)
    return np.stack(results)
