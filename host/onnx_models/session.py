"""ONNX Runtime sessions: whole models, single nodes, and the model as its optimiser leaves it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import GraphOptimizationLevel as Level
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NotImplementedByOnnxRuntime

from wingrid.host.onnx_models.nodes import inner_graphs, taken_by
from wingrid.host.onnx_models.refusal import ModelRefused, one_sentence

Value = Any
"""What ONNX Runtime takes and leaves: an array, or for its sequences a list of arrays."""


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, onnx.TypeProto],
    constants: Mapping[str, npt.NDArray],
    outputs: Sequence[str],
    like: onnx.ModelProto,
) -> onnx.ModelProto:
    """The nodes as a model by themselves, under the operator versions of ``like``: from inputs to the outputs named."""
    used = {name for node in nodes for name in taken_by(node)}
    graph = helper.make_graph(
        list(nodes),
        "steps",
        [onnx.ValueInfoProto(name=name, type=kind) for name, kind in inputs.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=like.opset_import, ir_version=like.ir_version)
    model.functions.extend(like.functions)
    return model


def type_of(name: str, value: Value) -> onnx.TypeProto:
    """The ONNX type of a value that ONNX Runtime left."""
    if isinstance(value, np.ndarray):
        strings = value.dtype.kind in "OUS"
        kind = TensorProto.STRING if strings else helper.np_dtype_to_tensor_dtype(value.dtype)
        return helper.make_tensor_type_proto(kind, value.shape)
    if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
        kind = helper.np_dtype_to_tensor_dtype(value[0].dtype)
        return helper.make_sequence_type_proto(helper.make_tensor_type_proto(kind, None))
    raise ModelRefused(f"{name} is neither a tensor nor a sequence of tensors, so it cannot go from node to node here")


class KernelMissing(ModelRefused):
    """A model with an operator, or types of one, for which ONNX Runtime has no kernel."""


_FATAL_ONLY = 4
onnxruntime.set_default_logger_severity(_FATAL_ONLY)
_QDQ_PROPAGATION = "QDQPropagationTransformer"
_INT8_KERNELS = "session.qdqisint8allowed"
_PRECISE_KERNELS = "session.x64quantprecision"


def open_session(
    model: onnx.ModelProto,
    level: Level = Level.ORT_ENABLE_ALL,
    keep: Path | None = None,
    *,
    int8_kernels: bool = False,
) -> onnxruntime.InferenceSession:
    """A session on the CPU at an optimisation level, the default one unless told; ``keep`` takes the optimised model.

    On x86, ONNX Runtime turns int8 activations of a QDQ model into uint8 where they do not branch, and computes in
    float32 where they do. ``int8_kernels`` lets it take its integer kernels there too, as it does by
    default on ARM.

    On x86 processors without VNNI, ONNX Runtime's kernels for uint8 activations and int8 weights saturate the sum of
    two products to 16 bits. Sessions that compute have its precise mode on, in which weights become uint8 and sums
    are exact, as they are on every other processor. Where a kernel is missing in that mode (int8 activations, whose
    sums are exact anyway) the model runs without it.

    Raises ``ModelRefused`` with ONNX Runtime's reason.
    """
    options = _options(level, int8_kernels=int8_kernels)
    if keep is not None:
        options.optimized_model_filepath = str(keep)
        return _session(model, options)
    try:
        return _session(model, _options(level, int8_kernels=int8_kernels, precise=True))
    except KernelMissing:
        return _session(model, options)


def _options(level: Level, *, int8_kernels: bool, precise: bool = False) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = _FATAL_ONLY
    for wanted, entry in ((int8_kernels, _INT8_KERNELS), (precise, _PRECISE_KERNELS)):
        if wanted:
            options.add_session_config_entry(entry, "1")
    return options


def _session(
    model: onnx.ModelProto, options: onnxruntime.SessionOptions, without: Sequence[str] = ()
) -> onnxruntime.InferenceSession:
    """``without`` names passes of the optimiser."""
    try:
        return onnxruntime.InferenceSession(
            model.SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=list(without) or None,
        )
    except Exception as error:  # its exceptions have no common base but this one
        kind = KernelMissing if isinstance(error, NotImplementedByOnnxRuntime) else ModelRefused
        raise kind(f"ONNX Runtime refuses the model: {one_sentence(error)}") from None


def compute(session: onnxruntime.InferenceSession, inputs: Mapping[str, Value]) -> dict[str, Value]:
    """All outputs by name. Raises ``ModelRefused`` with ONNX Runtime's reason."""
    names = [output.name for output in session.get_outputs()]
    try:
        values: list[Value] = session.run(names, dict(inputs))
    except Exception as error:  # as above
        raise ModelRefused(f"ONNX Runtime cannot run the model: {one_sentence(error)}") from None
    return dict(zip(names, values, strict=True))


def branches_folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the branches that constants and shapes decide on in place of the nodes that choose them.

    ONNX Runtime does that itself. But where it carries DequantizeLinear into a branch afterwards, in the same session,
    its version 1.32 reads beyond the inputs of a node, and aborts.
    """
    if not any(True for node in model.graph.node for _ in inner_graphs(node)):
        return model
    with tempfile.TemporaryDirectory(prefix="wingrid-") as folder:
        path = Path(folder) / "folded.onnx"
        options = _options(Level.ORT_ENABLE_BASIC, int8_kernels=False)
        options.optimized_model_filepath = str(path)
        _session(model, options, without=[_QDQ_PROPAGATION])
        return onnx.load(path)


def as_it_runs(model: onnx.ModelProto, *, int8_kernels: bool = False) -> onnx.ModelProto:
    """The model after ONNX Runtime's own fusions: the operators whose kernels it calls, quantised ones among them.

    Level 2 ("extended") holds all fusions that change arithmetic; level 3 only lays tensors out anew for the
    processor at hand.
    """
    with tempfile.TemporaryDirectory(prefix="wingrid-") as folder:
        path = Path(folder) / "optimised.onnx"
        open_session(model, Level.ORT_ENABLE_EXTENDED, keep=path, int8_kernels=int8_kernels)
        return onnx.load(path)
