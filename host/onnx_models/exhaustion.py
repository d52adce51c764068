"""Tables of functions of one byte, from what ONNX Runtime computes for every byte that can occur.

Its kernels take many elements at a time, and what is left over at the end by other instructions, so that one byte may
give two results, depending on where it stands. A table is one only if it gives every result of all arrangements below.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from wingrid.host.onnx_models.affine_maps import ChannelAxis
from wingrid.host.onnx_models.byte_functions import BytePart
from wingrid.host.onnx_models.graph import as_type, signed
from wingrid.host.onnx_models.nodes import alone_or_together, taken_by
from wingrid.host.onnx_models.proofs import proof
from wingrid.host.onnx_models.session import Value, compute, model_of, open_session
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.host.onnx_models.tensors import is_floating
from wingrid.hw.config import TABLE_ENTRIES
from wingrid.sim.golden.lookup import looked_up

Segments = Sequence[int]
"""Neighbours in a tensor, each of which goes through all bytes that can occur."""

ROW: Segments = (TABLE_ENTRIES,)
"""Room for each value."""

REMAINDERS: Segments = (64, 32, 16, 8, 4, 3)
"""In one row as many elements as any processor's instructions take at a time, and fewer than any's at the end."""

LARGEST_PROBE = 1 << 18
"""Elements of the longest arrangement; ONNX Runtime shares out far fewer among its threads."""

SEED = 20240229


class Exhaustion:
    """A part's functions, which ONNX Runtime is asked for in one arrangement after the other."""

    def __init__(
        self,
        part: BytePart,
        reachable: npt.NDArray[np.int8],
        constants: Mapping[str, npt.NDArray],
        types: Mapping[str, TensorType],
        like: onnx.ModelProto,
    ) -> None:
        """``reachable`` holds the values that the source can have, as int8.

        The nodes run under the operator versions of ``like``, as the host runs them.
        """
        self._part = part
        self._constants = constants
        self._like = like
        self._reachable = reachable
        self._source = types[part.source]
        self._types = types
        self._random = np.random.default_rng(SEED)
        self._channels = part.channels.count if part.per_channel else 1
        self._tables = [_Table(self._channels) for _ in part.ends]

    def proven(self) -> list[npt.NDArray[np.int8] | None]:
        """For each end of the part the table from the source to there, ``None`` where results depend on arrangement.

        Tables are int8 [256], or [channels, 256] where they differ between channels, as ``Operands`` has them. Entries
        for values that cannot be reached are 0. They come from the cache if the same was asked before.
        """

        def ask(answer: Path) -> None:
            chain = _Chain(self._part, self._constants, self._types, self._like)
            for shape, segments in self._arrangements():
                self._ask(chain, shape, segments)
            agreed: dict[str, Any] = {str(at): table.entries for at, table in enumerate(self._tables) if table.agrees}
            with answer.open("wb") as file:
                np.savez(file, **agreed)

        with np.load(proof("tables", __file__, self._question(), ask)) as found:
            return [found.get(str(at)) for at in range(len(self._tables))]

    def _question(self) -> tuple[str | bytes, ...]:
        """All that shapes the answer."""
        part, like = self._part, self._like
        names = dict.fromkeys(name for node in part.nodes for name in taken_by(node) if name in self._constants)
        constants = [self._constants[name] for name in names]
        versions = [opset.SerializeToString(deterministic=True) for opset in like.opset_import]
        functions = [function.SerializeToString(deterministic=True) for function in like.functions]
        return (
            repr((self._source, part.channels, part.ends, self._channels, like.ir_version, tuple(names))),
            self._reachable.tobytes(),
            *(repr((value.dtype, value.shape)) for value in constants),
            *(value.tobytes() for value in constants),
            *(node.SerializeToString(deterministic=True) for node in part.nodes),
            *versions,
            *functions,
        )

    def _arrangements(self) -> Iterator[tuple[Sequence[int], Segments]]:
        """Shapes of the source, and their segments: rows, and the real one, cut if it is long."""
        axis, rank = self._part.channels.axis, self._part.channels.rank
        along = rank - 1 if axis != rank - 1 else 0
        for segments in (ROW, REMAINDERS):
            shape = [1] * rank
            shape[along] = sum(segments)
            shape[axis] *= self._channels
            yield shape, segments
        shape = list(self._source.shape)
        for position in range(rank):
            if position != axis:
                shape[position] = max(1, min(shape[position], LARGEST_PROBE * shape[position] // math.prod(shape)))
        yield shape, (math.prod(shape) // self._channels,)

    def _ask(self, chain: _Chain, shape: Sequence[int], segments: Segments) -> None:
        """For every reachable value in every segment of a tensor of that shape."""
        channels = self._part.channels
        pieces = _dealt(self._reachable, self._channels, segments, self._random)
        answers = [chain.run(as_type(_laid_out(codes, shape, channels), self._source.dtype)) for codes in pieces]
        codes = np.concatenate(pieces, axis=1)
        for table, results in zip(self._tables, zip(*answers, strict=True), strict=True):
            rows = [_by_channel(signed(result), self._channels, channels) for result in results]
            table.note(codes, np.concatenate(rows, axis=1))


class _Table:
    """What is known of a table: nothing, until one result is known for each value."""

    def __init__(self, channels: int) -> None:
        self._known = np.zeros((channels, TABLE_ENTRIES), np.int8)
        self._empty = True
        self.agrees = True

    def note(self, codes: npt.NDArray[np.int8], results: npt.NDArray[np.int8]) -> None:
        """These results for these values, both [channels, n];, at first of every value."""
        if self._empty:
            np.put_along_axis(self._known, codes.view(np.uint8).astype(np.intp), results, axis=1)
            self._empty = False
        self.agrees &= np.array_equal(looked_up(codes, self._known), results)

    @property
    def entries(self) -> npt.NDArray[np.int8]:
        """[256] if all channels have the same."""
        return self._known[0] if (self._known == self._known[0]).all() else self._known


class _Chain:
    """A part's nodes in sessions as the host opens them, for tensors of any size."""

    def __init__(
        self,
        part: BytePart,
        constants: Mapping[str, npt.NDArray],
        types: Mapping[str, TensorType],
        like: onnx.ModelProto,
    ) -> None:
        self._source = part.source
        self._ends = [end for end, _ in part.ends]
        groups = list(alone_or_together(part.nodes, is_floating))
        taken = [{name for node in group for name in taken_by(node) if name not in constants} for group in groups]
        self._sessions = []
        for index, group in enumerate(groups):
            made = {name for node in group for name in node.output}
            inputs = {
                name: helper.make_tensor_type_proto(
                    helper.np_dtype_to_tensor_dtype(types[name].dtype), [None] * part.channels.rank
                )
                for name in sorted(taken[index] - made)
            }
            wanted = made & {*self._ends, *(name for later in taken[index + 1 :] for name in later)}
            self._sessions.append((open_session(model_of(group, inputs, constants, sorted(wanted), like)), inputs))

    def run(self, values: npt.NDArray) -> list[npt.NDArray]:
        """What the ends are where the source is that."""
        known: dict[str, Value] = {self._source: values}
        for session, inputs in self._sessions:
            known.update(compute(session, {name: known[name] for name in inputs}))
        return [known[end] for end in self._ends]


def _dealt(
    reachable: npt.NDArray[np.int8], channels: int, segments: Segments, random: np.random.Generator
) -> list[npt.NDArray[np.int8]]:
    """As many tensors [channels, n] as it takes for each segment to hold every reachable value, for each channel.

    All channels have the same order, but each begins elsewhere in the circle of values.
    """
    count = -(-len(reachable) // min(segments))
    places = []
    for length in segments:
        more = random.integers(0, len(reachable), max(0, count * length - len(reachable)))
        shuffled = np.concatenate([random.permutation(len(reachable)), more])
        places.append(shuffled[: count * length].reshape(count, length))
    starts = random.integers(0, len(reachable), (channels, 1))
    values = reachable[(starts + np.arange(len(reachable))) % len(reachable)]
    return [np.take(values, row, axis=1) for row in np.concatenate(places, axis=1)]


def _laid_out(codes: npt.NDArray[np.int8], shape: Sequence[int], channels: ChannelAxis) -> npt.NDArray[np.int8]:
    """[channels, n] as a tensor; one row serves all channels where they have the same table."""
    if len(codes) == 1:
        return codes.reshape(shape)
    others = [size for axis, size in enumerate(shape) if axis != channels.axis]
    return np.ascontiguousarray(np.moveaxis(codes.reshape(len(codes), *others), 0, channels.axis))


def _by_channel(values: npt.NDArray[np.int8], rows: int, channels: ChannelAxis) -> npt.NDArray[np.int8]:
    """The inverse of ``_laid_out``."""
    return values.reshape(1, -1) if rows == 1 else np.moveaxis(values, channels.axis, 0).reshape(rows, -1)
