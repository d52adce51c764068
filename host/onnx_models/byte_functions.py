"""Parts of a graph that compute from each byte of a tensor by itself, whatever operators they are written in."""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Container, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.onnx_models.affine_maps import ChannelAxis
from wingrid.host.onnx_models.elementwise import DIVIDING, is_elementwise, is_per_channel
from wingrid.host.onnx_models.nodes import Consumers
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.host.onnx_models.tensors import ACTIVATIONS


@dataclass(frozen=True)
class BytePart:
    """Nodes that map each byte of ``source``, in an order in which they can run.

    ``ends`` are the tensors of bytes through which all passes that leaves the source, the nearest first, each with the
    number of nodes that lead there: the nodes up to one could be replaced by a table.
    """

    source: str
    channels: ChannelAxis
    nodes: tuple[onnx.NodeProto, ...]
    ends: tuple[tuple[str, int], ...]
    per_channel: bool
    """Whether a constant differs between channels."""

    def of_operators(self, operators: Container[str]) -> BytePart | None:
        """As much of it as consists of these operators, ``None`` if that leads nowhere."""
        count = next((at for at, node in enumerate(self.nodes) if node.op_type not in operators), len(self.nodes))
        ends = tuple(end for end in self.ends if end[1] <= count)
        return dataclasses.replace(self, nodes=self.nodes[: ends[-1][1]], ends=ends) if ends else None


def byte_part(
    source: str,
    channels: ChannelAxis,
    consumers: Consumers,
    constants: Mapping[str, npt.NDArray],
    types: Mapping[str, TensorType],
    first: int | None = None,
) -> BytePart | None:
    """The largest such part behind a tensor with these channels, ``None`` if there is none.

    Of a tensor that stays for others to take, it is the part that begins with the node at position ``first``.
    """
    shape = types[source].shape
    nodes: list[onnx.NodeProto] = []
    ends: list[tuple[str, int]] = []
    made = {source}
    unseen = {source: set(consumers.positions(source))} if first is None else {}
    waiting = list(consumers.positions(source)) if first is None else [first]
    done: set[int] = set()
    while waiting and not any(consumers.is_output(tensor) for tensor in unseen):
        position = heapq.heappop(waiting)
        if position in done:
            continue
        done.add(position)
        node = consumers.node(position)
        (left,) = node.output if len(node.output) == 1 else ("",)
        kind = types.get(left)
        if kind is None or kind.shape != shape or not is_elementwise(node, made, constants, channels):
            break
        if node.op_type in DIVIDING and np.issubdtype(kind.dtype, np.integer):
            break
        nodes.append(node)
        made.add(left)
        for tensor in list(unseen):
            unseen[tensor].discard(position)
            if not unseen[tensor]:
                del unseen[tensor]
        if kind.dtype in ACTIVATIONS and not unseen:
            ends.append((left, len(nodes)))
        unseen[left] = set(consumers.positions(left))
        for taker in consumers.positions(left):
            heapq.heappush(waiting, taker)
    if not ends:
        return None
    nodes = nodes[: ends[-1][1]]
    per_channel = any(is_per_channel(node, constants) for node in nodes)
    return BytePart(source, channels, tuple(nodes), tuple(ends), per_channel)
