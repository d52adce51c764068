"""The accelerator's layers of an ONNX model, for those who need no tensors: estimates."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy.typing as npt

from wingrid.host.execution.layer_times import time_layers
from wingrid.host.execution.listener import Listener, Silence
from wingrid.host.execution.network_result import NetworkResult, TensorMemory
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.layer import Operands
from wingrid.host.networks.network import select_layers
from wingrid.host.onnx_models.graph import AcceleratedStep, ImportedGraph
from wingrid.host.onnx_models.importer import import_model
from wingrid.host.onnx_models.inputs import model_inputs, noise
from wingrid.host.onnx_models.model_file import about, read_model
from wingrid.host.onnx_models.model_run import images_in, model_path, placement_of, weights_of, with_typical_shape
from wingrid.host.onnx_models.quantising import quantised
from wingrid.host.onnx_models.sizes import NOTHING_SAID, Sizes, input_shapes
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.timing import build

TensorPlacer = Callable[[ImportedGraph, Mapping[str, npt.NDArray], Setup], TensorMemory]
"""Says where a graph's tensors would lie in one memory, for inputs of these shapes."""


def imported_for_estimate(
    network: str,
    config: AcceleratorConfig,
    sizes: Sizes = NOTHING_SAID,
    *,
    assume_int8: bool = False,
    int8_kernels: bool = True,
) -> ImportedGraph:
    """A bundled network, or the model of a file, imported for inputs of these sizes.

    A float model is refused unless ``assume_int8``: then it is quantised on noise, as cycles depend on shapes
    alone. Raises ``UserError``.
    """
    path = model_path(network)
    model = read_model(path)
    with about(path):
        shapes = input_shapes(model.inputs, with_typical_shape(network, sizes))
        if assume_int8 and not model.is_quantised:
            model = quantised(model, [model_inputs(model.inputs, {}, Sizes(shapes))]).model
        return import_model(model, shapes, config, int8_kernels=int8_kernels)


def estimate_model(
    network: str,
    setup: Setup,
    names: Sequence[str] | None = None,
    sizes: Sizes = NOTHING_SAID,
    listener: Listener | None = None,
    *,
    assume_int8: bool = False,
    int8_kernels: bool = True,
    placer: TensorPlacer | None = None,
) -> NetworkResult:
    """What the accelerator's layers of a model take by the timing model: all, or those of these names.

    With a ``placer`` and all layers the result also says where tensors would lie if they ran in one memory.
    Raises ``UserError``, also for names that the model does not have, and ``LayerError``.
    """
    hears: Listener = listener or Silence()
    graph = imported_for_estimate(network, setup.config, sizes, assume_int8=assume_int8, int8_kernels=int8_kernels)
    selected = select_layers(network, [layer.name for layer in graph.layers], names)
    build.library(hears.building)
    started = time.perf_counter()
    wanted = [(step.layer, partial(_operands, step)) for step in graph.accelerated if step.name in selected]
    layers = time_layers(wanted, setup, hears)
    images = images_in(graph) if len(selected) == len(graph.accelerated) else 0
    seconds, weights = time.perf_counter() - started, weights_of(network)
    noises = {name: noise(kind.dtype, kind.shape) for name, kind in graph.inputs.items()}
    memory = placer(graph, noises, setup) if placer and images else None
    return NetworkResult(
        network,
        setup,
        layers,
        images,
        seconds,
        weights=weights,
        placement=placement_of(graph),
        tensor_memory=memory,
    )


def _operands(step: AcceleratedStep) -> Operands:
    return step.operands
