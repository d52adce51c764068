"""The accelerator's layers of an ONNX model, for those who need no tensors: estimates."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from wingrid.host.errors import UserError
from wingrid.host.execution.layer_times import time_layers
from wingrid.host.execution.listener import Listener, Silence
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.layer import Operands
from wingrid.host.networks.network import select_layers
from wingrid.host.onnx_models.bundled import TYPICAL_INPUTS
from wingrid.host.onnx_models.graph import AcceleratedStep, ImportedGraph
from wingrid.host.onnx_models.importer import import_model, require_quantised
from wingrid.host.onnx_models.inputs import noise, require_room
from wingrid.host.onnx_models.model_file import read_model
from wingrid.host.onnx_models.model_run import host_work, model_path, weights_of
from wingrid.host.onnx_models.operators import require_operators
from wingrid.host.onnx_models.quantising import quantised
from wingrid.host.onnx_models.refusal import ModelRefused
from wingrid.host.onnx_models.shapes import model_input, open_type
from wingrid.host.onnx_models.tensors import is_quantised
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.timing import build


def imported_for_estimate(
    path: Path,
    config: AcceleratorConfig,
    *,
    images: int = 1,
    shape: Sequence[int] | None = None,
    assume_int8: bool = False,
) -> ImportedGraph:
    """A model imported for a batch; ``shape`` is the input's if the model leaves it open.

    A float model is refused unless ``assume_int8``: then it is quantised on noise, as cycles depend on shapes
    alone. Raises ``UserError``.
    """
    model = read_model(path)
    try:
        require_operators(model)
        wanted = open_type(model_input(model))
        if shape is None:
            shape = wanted.bound(images)
        if shape is None:
            raise UserError(f"the model takes {wanted}, so an estimate needs the input's shape")
        if assume_int8 and not is_quantised(model):
            require_room(wanted.dtype, shape, "the model's input")
            model = quantised(model, noise(wanted.dtype, shape))
        require_quantised(model)
        return import_model(model, shape, config)
    except ModelRefused as refusal:
        raise type(refusal)(f"{path}: {refusal}") from None


def estimate_model(
    network: str,
    setup: Setup,
    names: Sequence[str] | None = None,
    images: int = 1,
    listener: Listener | None = None,
    *,
    assume_int8: bool = False,
) -> NetworkResult:
    """What the accelerator's layers of a model take by the timing model: all, or those of these names.

    Raises ``UserError``, also for names that the model does not have, and ``LayerError``.
    """
    hears: Listener = listener or Silence()
    shape = TYPICAL_INPUTS.get(network) if images == 1 else None
    graph = imported_for_estimate(
        model_path(network), setup.config, images=images, shape=shape, assume_int8=assume_int8
    )
    selected = select_layers(network, [layer.name for layer in graph.layers], names)
    build.library(hears.building)
    started = time.perf_counter()
    wanted = [(step.layer, partial(_operands, step)) for step in graph.accelerated if step.name in selected]
    layers = time_layers(wanted, setup, hears)
    whole = len(selected) == len(graph.accelerated)
    seen = (graph.input_type.shape or (1,))[0] if whole else 0
    seconds, weights = time.perf_counter() - started, weights_of(network)
    return NetworkResult(network, setup, layers, seen, seconds, weights=weights, host=host_work(graph))


def _operands(step: AcceleratedStep) -> Operands:
    return step.operands
