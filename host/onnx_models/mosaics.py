"""Tensors put together of parts of another one: pixels of channels between each other, borders, repetitions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wingrid.host.onnx_models.graph import Part
from wingrid.host.onnx_models.selections import Selection

FILL = -1
"""The number of an element that is none of the tensor's."""

LONGEST_PITCH = 4
"""Rows, or columns, after which what is between others begins again."""

MOST_PIECES = 32


@dataclass(frozen=True)
class Piece:
    """Some pixels of the new tensor, in all of its channels: a selection of the old one with a margin of fill."""

    part: Part
    selection: Selection
    margins: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Pixels of it above, left, below and right of the selection."""


@dataclass(frozen=True)
class Mosaic:
    """Pieces that make up [images, channels, rows, columns]."""

    pieces: tuple[Piece, ...]
    size: tuple[int, int]

    @classmethod
    def of(cls, elements: npt.NDArray[np.int32], shape: Sequence[int]) -> Mosaic | None:
        """From the number of each element in a tensor of that shape, in C order, or ``FILL``.

        Both have four axes. ``None`` if pieces are too many, or there are none that do.
        """
        if not elements.size or len(elements) != shape[0]:
            return None
        pitches = itertools.product(range(1, LONGEST_PITCH + 1), repeat=2)
        for down, across in sorted(pitches, key=lambda pitch: pitch[0] * pitch[1]):
            pieces: list[Piece] = []
            for row, column in itertools.product(range(down), range(across)):
                found = list(_pieces(elements[:, :, row::down, column::across], shape))
                if not found or len(pieces) + len(found) > MOST_PIECES:
                    break
                for piece in found:
                    first = row + piece.part.row * down, column + piece.part.column * across
                    pieces.append(Piece(Part(0, *first, down, across), piece.selection, piece.margins))
            else:
                return cls(tuple(pieces), (elements.shape[2], elements.shape[3]))
        return None

    @property
    def is_whole(self) -> bool:
        """Whether a single piece is all of it."""
        return len(self.pieces) == 1


def _pieces(elements: npt.NDArray[np.int32], shape: Sequence[int]) -> Iterator[Piece]:
    """Pieces without pixels of others between theirs; none if there are none that do."""
    if not elements.size:
        return
    if (elements == FILL).any():
        if piece := _framed(elements, shape):
            yield piece
        return
    rows, columns = (np.unravel_index(elements, shape)[axis] for axis in (2, 3))
    lines = [np.moveaxis(rows, 2, 0), np.moveaxis(columns, 3, 0)]
    runs = [_runs(line.reshape(len(line), -1)) for line in lines]
    if len(runs[0]) * len(runs[1]) > MOST_PIECES:
        return
    found = []
    for down, across in itertools.product(*runs):
        selection = Selection.of(elements[:, :, down, across], shape)
        if selection is None or selection.repeats != (1, 1):
            return
        found.append(Piece(Part(0, down.start, across.start), selection))
    yield from found


def _framed(elements: npt.NDArray[np.int32], shape: Sequence[int]) -> Piece | None:
    """A selection with fill around it."""
    real = elements != FILL
    spans = []
    for axis in (2, 3):
        places = np.flatnonzero(real.any(axis=tuple(other for other in range(4) if other != axis)))
        if not len(places):
            return None
        spans.append(slice(int(places[0]), int(places[-1]) + 1))
    inner = elements[:, :, spans[0], spans[1]]
    if (inner == FILL).any():
        return None
    selection = Selection.of(inner, shape)
    if selection is None or selection.repeats != (1, 1) or selection.offsets:
        return None
    margins = [(span.start, size - span.stop) for span, size in zip(spans, elements.shape[2:], strict=True)]
    for axis, (before, after) in enumerate(margins):
        first, step = selection.first[axis], selection.step[axis]
        last = first + (selection.size[axis] - 1) * step
        # What lies a step further would have to be none of the image's pixels.
        if (before and first >= step) or (after and last + step < shape[2 + axis]):
            return None
    (top, bottom), (left, right) = margins
    return Piece(Part(), selection, (top, left, bottom, right))


def _runs(lines: npt.NDArray[np.intp]) -> list[slice]:
    """Where along an axis places grow by one and the same step."""
    places = lines[:, 0]
    runs, start = [], 0
    for at in range(1, len(places) + 1):
        step = places[start + 1] - places[start] if start + 1 < len(places) else 1
        if at == len(places) or step < 1 or places[at] - places[at - 1] != step:
            runs.append(slice(start, at))
            start = at
    return runs
