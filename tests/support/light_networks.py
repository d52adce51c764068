"""The onnx package's ``light_*`` models: published topologies whose weights are left out, here with seeded ones."""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
NAMES = tuple(sorted(path.stem.removeprefix("light_") for path in FOLDER.glob("light_*.onnx")))


def light_network(name: str) -> onnx.ModelProto:
    """The topology with weights in place of its ConstantOfShape nodes, such that activations keep their size."""
    model = onnx.load(FOLDER / f"light_{name}.onnx")
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    kept = []
    made: dict[str, onnx.TensorProto] = {}
    for node in model.graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        size = [int(number) for number in shapes[node.input[0]]]
        made[node.output[0]] = numpy_helper.from_array(_weights(node.output[0], size), node.output[0])
    for node in kept:
        variance = node.input[4] if node.op_type == "BatchNormalization" else ""
        if variance in made:  # it must be positive
            made[variance].CopyFrom(
                numpy_helper.from_array(np.abs(numpy_helper.to_array(made[variance])) + 0.5, variance)
            )
    used = {name for node in kept for name in node.input}
    constants = [tensor for tensor in model.graph.initializer if tensor.name in used]
    fed = [value for value in model.graph.input if value.name in used and value.name not in shapes]
    graph = helper.make_graph(kept, name, fed, list(model.graph.output), [*constants, *made.values()])
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=8)


def _weights(name: str, size: list[int]) -> np.ndarray:
    """Normal; a kernel's by its fan-in, as He et al. (ICCV 2015) start them, a vector's around one."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if len(size) < 2:
        return random.normal(0.5, 0.2, size).astype(np.float32)
    return random.normal(0, math.sqrt(2 / math.prod(size[1:])), size).astype(np.float32)
