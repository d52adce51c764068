"""Pictures of any size through models that turn pictures into pictures: cut into tiles, a batch of them, and joined.

A model without padding leaves fewer pixels than it takes. So tiles overlap by what it drops, and the picture is
extended at its edges by repeating their pixels.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.errors import UserError
from wingrid.host.onnx_models.graph import ImportedGraph
from wingrid.host.onnx_models.model_file import Model
from wingrid.host.onnx_models.refusal import ModelRefused
from wingrid.host.onnx_models.sizes import listed

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


def with_open_batch(model: Model) -> Model:
    """The model for any number of images at once, even if it names one.

    Raises ``ModelRefused`` if it has other inputs than a picture's.
    """
    if len(model.inputs) != 1:
        raise ModelRefused(f"a model that makes pictures of pictures has one input, and not {listed(model.inputs)}")
    opened = onnx.ModelProto()
    opened.CopyFrom(model.proto)
    shape = opened.graph.input[0].type.tensor_type.shape
    if shape.dim:
        shape.dim[0].dim_param = "tiles"
    return dataclasses.replace(model, proto=opened)


def margin_of(probes: Sequence[ImportedGraph]) -> int:
    """Pixels that the model drops on each side, from what it leaves of tiles of the sizes ``PROBES``.

    Raises ``UserError`` if it does not make pictures of pictures, pixel by pixel.
    """
    ends = [(next(iter(graph.inputs.values())), next(iter(graph.outputs.values()))) for graph in probes]
    margins = {_margin(taken.shape, left.shape) if left else None for taken, left in ends}
    margin = margins.pop()
    if margins or margin is None:
        made = ", ".join(f"{list(left.shape) if left else 'any shape'} of {list(taken.shape)}" for taken, left in ends)
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
