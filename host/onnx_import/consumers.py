"""Who takes which tensor of a graph."""

from __future__ import annotations

from collections import defaultdict

import onnx


class Consumers:
    """The nodes that take each tensor of a graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._outputs = {value.name for value in graph.output}
        self._nodes: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in {*node.input}:
                self._nodes[name].append(node)

    def only(self, tensor: str) -> onnx.NodeProto | None:
        """The one node that takes the tensor, ``None`` if others do too, or the model's user."""
        nodes = self._nodes[tensor]
        return nodes[0] if len(nodes) == 1 and tensor not in self._outputs else None
