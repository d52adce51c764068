"""Comparing an imported model with ONNX Runtime, tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx

from wingrid.host.networks.golden import golden
from wingrid.host.onnx_models.calibration import Calibration
from wingrid.host.onnx_models.graph import ImportedGraph
from wingrid.host.onnx_models.graph_walk import outputs_from, walk
from wingrid.host.onnx_models.importer import import_model
from wingrid.host.onnx_models.judge import difference
from wingrid.host.onnx_models.model_file import Model, checked_model
from wingrid.host.onnx_models.quantising import quantised
from wingrid.host.onnx_models.session import Level, compute, open_session
from wingrid.host.onnx_models.sizes import ONLY
from wingrid.hw.config import AcceleratorConfig

CONFIG = AcceleratorConfig()
WITH_TABLES = AcceleratorConfig(tables=8)

Inputs = Mapping[str, np.ndarray]


def read(model: onnx.ModelProto) -> Model:
    """The model, as if from a file."""
    return checked_model(model.SerializeToString(), Path())


def imported(
    model: onnx.ModelProto | Model,
    x: np.ndarray | Inputs,
    *,
    int8_kernels: bool = False,
    config: AcceleratorConfig = CONFIG,
) -> ImportedGraph:
    """The model for these inputs, or for its only one."""
    known = model if isinstance(model, Model) else read(model)
    shapes = {name: value.shape for name, value in by_name(known.inputs, x).items()}
    return import_model(known, shapes, config, int8_kernels=int8_kernels)


def by_name(names: Iterable[str], x: np.ndarray | Inputs) -> Inputs:
    """The inputs; an array is the first one."""
    return x if isinstance(x, Mapping) else {next(iter(names)): x}


def quantised_on(model: onnx.ModelProto | Model, samples: np.ndarray) -> Model:
    """The float model with one input, quantised on these samples."""
    known = model if isinstance(model, Model) else read(model)
    return quantised(known, Calibration({ONLY: samples}, known.inputs)).model


def every_tensor(graph: ImportedGraph, x: np.ndarray | Inputs, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Tensors between layers, as ONNX Runtime computes them with the kernels that it has chosen for the model."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(graph.optimised)
    known = {value.name for value in exposed.graph.output}
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    return compute(open_session(exposed, Level.ORT_ENABLE_EXTENDED), by_name(graph.inputs, x))


def differences(graph: ImportedGraph, x: np.ndarray | Inputs) -> list[str]:
    """Every layer's tensor, and every output of the whole model, in which golden and ONNX Runtime differ."""
    inputs = by_name(graph.inputs, x)
    known = {name for node in graph.optimised.graph.node for name in node.output}
    expected = every_tensor(graph, inputs, [step.target for step in graph.accelerated if step.target in known])
    found, results = [], {}
    steps = walk(graph, inputs)
    try:
        step, taken = next(steps)
        while True:
            y = results[step.name] = golden(step.layer, step.operands, taken)
            if step.target in known:
                wrong = step.model_output(y) != step.left_in(expected[step.target])
                if wrong.any():
                    found.append(f"layer {step.name}: {int(wrong.sum())} of {wrong.size} elements")
            step, taken = steps.send(y)
    except StopIteration:
        pass
    whole = difference(graph, inputs, outputs_from(graph, inputs, results))
    return [*found, whole] if whole else found
