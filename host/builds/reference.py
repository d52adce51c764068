"""What a network's outputs must be: golden's, which ONNX Runtime judges where the network is an ONNX model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.execution.network_run import run_network
from wingrid.host.execution.setup import Setup
from wingrid.host.images.named_work import named_work
from wingrid.host.images.work import PICTURE, Work
from wingrid.host.networks.built_in import ONNX_BUILT_IN, find, is_onnx
from wingrid.host.onnx_models.importer import import_model
from wingrid.host.onnx_models.model_file import read_model
from wingrid.host.onnx_models.model_run import model_path, run_graph
from wingrid.host.onnx_models.sizes import NOTHING_SAID, Sizes
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming


@dataclass(frozen=True)
class Reference:
    """A network with an input that it takes, and the outputs that are right."""

    work: Work
    inputs: Mapping[str, npt.NDArray]
    outputs: Mapping[str, npt.NDArray]
    onnxruntime_equal: bool | None
    """Whether ONNX Runtime computes these very outputs; ``None`` for a network that is no ONNX model."""


def reference(
    network: str, config: AcceleratorConfig, sizes: Sizes = NOTHING_SAID, *, int8_kernels: bool = True
) -> Reference:
    """The reference of a network by its name or .onnx file. Raises ``UserError``."""
    work, inputs = named_work(network, config, sizes=sizes, int8_kernels=int8_kernels)
    setup = Setup("golden", config, MemoryTiming.for_bus(config.bus_bytes))
    if not is_onnx(network):
        output = run_network(find(network), inputs[PICTURE], setup).values
        (name,) = work.outputs
        return Reference(work, inputs, {name: output}, None)
    shapes = {name: value.shape for name, value in inputs.items()}
    graph = import_model(read_model(model_path(network)), shapes, config, int8_kernels=int8_kernels)
    result = run_graph(graph, inputs, network, setup, [layer.name for layer in graph.layers])
    outputs = {name: np.asarray(value) for name, value in result.outputs.items()}
    # Not by where the file lies now.
    work = dataclasses.replace(work, name=network if network in ONNX_BUILT_IN else Path(network).name)
    return Reference(work, inputs, outputs, result.judgement.onnxruntime_equal if result.judgement else None)


def differing(outputs: Mapping[str, npt.NDArray], expected: Mapping[str, npt.NDArray]) -> list[str]:
    """Names of expected outputs that are not these to the bit."""
    return [
        name
        for name, wanted in expected.items()
        if name not in outputs
        or outputs[name].dtype != wanted.dtype
        or outputs[name].size != wanted.size
        or outputs[name].tobytes() != wanted.tobytes()
    ]
