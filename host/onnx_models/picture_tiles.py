"""Pictures of any size through models that turn pictures into pictures: cut into tiles, a batch of them, and joined.

A model without padding leaves fewer pixels than it takes. So tiles overlap by what it drops, and the picture is
extended at its edges by repeating their pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.errors import UserError
from wingrid.host.onnx_models.graph import ImportedGraph
from wingrid.host.onnx_models.shapes import model_input

COLOURS = 3
PROBES = (64, 80)
"""Pixels on a side of the tiles on which a model shows how many of them it drops."""


@dataclass(frozen=True)
class Tiling:
    """A picture of ``height`` x ``width`` as squares of ``core`` pixels with a ``margin`` around each."""

    height: int
    width: int
    core: int
    margin: int

    @property
    def across(self) -> tuple[int, int]:
        """Tiles below and beside each other; the last ones may reach beyond the picture."""
        return -(-self.height // self.core), -(-self.width // self.core)

    @property
    def side(self) -> int:
        """Pixels on a side of what goes into the model."""
        return self.core + 2 * self.margin

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of all tiles, as ``cut`` makes them."""
        return math.prod(self.across), COLOURS, self.side, self.side

    def cut(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """uint8 [height, width, 3] as tiles, float32 [tiles, 3, side, side] from 0 to 1."""
        rows, columns = self.across
        after = [count * self.core - size + self.margin for count, size in zip(self.across, pixels.shape, strict=False)]
        edges = ((self.margin, after[0]), (self.margin, after[1]), (0, 0))
        extended = np.pad(pixels, edges, mode="edge").astype(np.float32) / np.float32(255)
        tiles = [
            extended[top : top + self.side, left : left + self.side]
            for top in range(0, rows * self.core, self.core)
            for left in range(0, columns * self.core, self.core)
        ]
        return np.ascontiguousarray(np.stack(tiles).transpose(0, 3, 1, 2))

    def join(self, tiles: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """What the model made of the tiles, [tiles, 3, core, core], as the picture, uint8 [height, width, 3]."""
        rows, columns = self.across
        grid = tiles.reshape(rows, columns, COLOURS, self.core, self.core).transpose(0, 3, 1, 4, 2)
        whole = grid.reshape(rows * self.core, columns * self.core, COLOURS)[: self.height, : self.width]
        return np.rint(np.clip(whole, 0, 1) * np.float32(255)).astype(np.uint8)


def with_open_batch(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model for any number of images at once, even if it names one."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    for value in (model_input(opened), *opened.graph.output):
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "tiles"
    del opened.graph.value_info[:]
    return opened


def margin_of(probes: Sequence[ImportedGraph]) -> int:
    """Pixels that the model drops on each side, from what it leaves of tiles of the sizes ``PROBES``.

    Raises ``UserError`` if it does not make pictures of pictures, pixel by pixel.
    """
    margins = {_margin(graph.input_type.shape, graph.output_type.shape) for graph in probes}
    margin = margins.pop()
    if margins or margin is None:
        made = ", ".join(f"{list(graph.output_type.shape)} of {list(graph.input_type.shape)}" for graph in probes)
        raise UserError(
            f"the model makes {made}: to write a picture it must keep colours and pixels, or drop as many pixels on "
            f"each side whatever the size; write a .npy file"
        )
    return margin


def _margin(taken: tuple[int, ...], left: tuple[int, ...]) -> int | None:
    if len(taken) != 4 or len(left) != 4 or left[:2] != (taken[0], COLOURS) or left[2] != left[3]:
        return None
    dropped = taken[3] - left[3]
    return None if dropped < 0 or dropped % 2 else dropped // 2
