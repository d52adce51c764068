"""MobileNetV2 as Sandler et al. (CVPR 2018, table 2) give it, with seeded weights."""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, output channels, repetitions, and the first repetition's stride."""


def mobilenet_v2(size: int = 224, classes: int = 1000) -> onnx.ModelProto:
    """The float model of an image [1, 3, size, size], batch normalisation folded into its convolutions."""
    made = _Graph()
    tensor, channels = made.conv("x", 3, 32, 3, stride=2), 32
    for expansion, width, repetitions, first in BLOCKS:
        for number in range(repetitions):
            stride, taken = first if number == 0 else 1, tensor
            inner = channels * expansion
            if expansion > 1:
                tensor = made.conv(tensor, channels, inner, 1)
            tensor = made.conv(tensor, inner, inner, 3, stride=stride, groups=inner)
            tensor = made.conv(tensor, inner, width, 1, clipped=False)
            if stride == 1 and channels == width:
                tensor = made.node("Add", [taken, tensor])
            channels = width
    tensor = made.conv(tensor, channels, 1280, 1)
    tensor = made.node("GlobalAveragePool", [tensor])
    tensor = made.conv(tensor, 1280, classes, 1, clipped=False)
    graph = helper.make_graph(
        made.nodes,
        "mobilenet_v2",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None)],
        made.constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


class _Graph:
    """Nodes in order, each named after its number, and their constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants = [numpy_helper.from_array(np.float32(value), name) for name, value in (("zero", 0), ("six", 6))]
        self._random = np.random.default_rng(2018)

    def node(self, operator: str, inputs: list[str], **attributes: object) -> str:
        """The name of its output, which is its own."""
        name = f"{operator}@{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def conv(
        self, source: str, channels: int, kernels: int, side: int, *, stride: int = 1, groups: int = 1,
        clipped: bool = True,
    ) -> str:  # fmt: skip
        """A convolution, and a ReLU6 behind it."""
        shape = (kernels, channels // groups, side, side)
        name = f"w{len(self.nodes)}"
        weights = self._random.normal(0, math.sqrt(2 / math.prod(shape[1:])), shape).astype(np.float32)
        bias = self._random.normal(0, 0.2, kernels).astype(np.float32)
        self.constants += [numpy_helper.from_array(weights, name), numpy_helper.from_array(bias, f"{name} bias")]
        attributes = {"pads": [side // 2] * 4, "strides": [stride] * 2, "group": groups}
        result = self.node("Conv", [source, name, f"{name} bias"], **attributes)
        return self.node("Clip", [result, "zero", "six"]) if clipped else result
