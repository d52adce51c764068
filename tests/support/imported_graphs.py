"""Comparing an imported model with ONNX Runtime, tensor by tensor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from wingrid.host.networks.golden import golden
from wingrid.host.onnx_models.graph import ImportedGraph
from wingrid.host.onnx_models.graph_walk import outputs_from, walk
from wingrid.host.onnx_models.importer import import_model
from wingrid.host.onnx_models.judge import difference
from wingrid.host.onnx_models.model_file import checked_model
from wingrid.host.onnx_models.session import Level, compute, open_session
from wingrid.hw.config import AcceleratorConfig

CONFIG = AcceleratorConfig()


def imported(model: onnx.ModelProto, x: np.ndarray, *, int8_kernels: bool = False) -> ImportedGraph:
    """The model, read as if from a file, for this input."""
    return import_model(checked_model(model.SerializeToString(), Path()), x.shape, CONFIG, int8_kernels=int8_kernels)


def every_tensor(graph: ImportedGraph, x: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Tensors between layers, as ONNX Runtime computes them with the kernels that it has chosen for the model."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(graph.optimised)
    known = {value.name for value in exposed.graph.output}
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    return compute(open_session(exposed, Level.ORT_ENABLE_EXTENDED), {graph.input: x})


def differences(graph: ImportedGraph, x: np.ndarray) -> list[str]:
    """Every layer's tensor, and every output of the whole model, in which golden and ONNX Runtime differ."""
    expected = every_tensor(graph, x, [step.target for step in graph.accelerated])
    found, results = [], {}
    steps = walk(graph, x)
    step, taken = next(steps)
    while True:
        y = results[step.name] = golden(step.layer, step.operands, taken)
        wrong = step.model_output(y) != expected[step.target]
        if wrong.any():
            found.append(f"layer {step.name}: {int(wrong.sum())} of {wrong.size} elements")
        try:
            step, taken = steps.send(y)
        except StopIteration:
            break
    whole = difference(graph, x, outputs_from(graph, x, results))
    return [*found, whole] if whole else found
