"""A float model made int8 by ONNX Runtime's own quantiser, in the form that fits the accelerator.

QDQ, weights int8 with a scale for each output channel and no zero point, activations uint8 with a zero point, so that
ReLU is saturation. On x86, ONNX Runtime keeps uint8 activations in its integer kernels wherever they go, int8
ones only where they do not branch; on import they become int8 either way.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import version_converter

from wingrid.host.errors import UserError
from wingrid.host.execution.listener import Listener, Silence
from wingrid.host.onnx_models.affine_folding import fold_affine
from wingrid.host.onnx_models.calibrating import Method, Ranges, calibrated
from wingrid.host.onnx_models.combined_ranges import ATTEMPTS, results_without_integers, widen
from wingrid.host.onnx_models.exact_products import weight_ranges
from wingrid.host.onnx_models.inputs import Values
from wingrid.host.onnx_models.model_file import Model, checked_model, name_nodes
from wingrid.host.onnx_models.plain_names import give_names_back, give_plain_names
from wingrid.host.onnx_models.quantiser_form import fit_for_quantiser, nodes_beyond_numbers
from wingrid.host.onnx_models.refusal import ModelRefused, one_sentence
from wingrid.host.onnx_models.session import Level, open_session
from wingrid.host.onnx_models.shapes import bound
from wingrid.host.onnx_models.tensors import DYNAMIC

LEAST_OPSET = 13
"""The first with a scale for each channel."""

WITH_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operators that are worth it."""

MIN_MAX = Method()


@dataclass(frozen=True)
class Quantised:
    """A model before and after, the same tensors under the same names."""

    model: Model
    prepared: onnx.ModelProto
    """The float model as the quantiser took it: constants and affine nodes folded, opset raised."""


def quantised(
    model: Model,
    feeds: Iterable[Values],
    keep: Sequence[str] = (),
    *,
    method: Method = MIN_MAX,
    listener: Listener | None = None,
) -> Quantised:
    """The float model, quantised with activations in the range that ``feeds``, inputs by name, give rise to.

    ``feeds`` are read once or more often. The nodes named in ``keep`` stay in floating point, and so do those that
    meet infinities, and what ONNX Runtime's quantiser does not know.

    Raises ``ModelRefused`` for a model that is quantised already or cannot be, ``UserError`` for unfit samples.
    """
    require_float(model)
    first = next(iter(feeds))
    bound(model.proto, {name: value.shape for name, value in first.items()})
    with tempfile.TemporaryDirectory(prefix="wingrid-") as name, _quiet(), _refusing():
        folder = Path(name)
        folded = _folded(model.proto, folder, keep)
        if not any(node.op_type in WITH_PRODUCTS for node in folded.graph.node):
            raise ModelRefused("there is nothing to quantise: the model has no convolution and no product of matrices")
        prepared, defeating = fit_for_quantiser(folded)
        kept = [*keep, *defeating]
        plain = _copy(prepared)
        names = give_plain_names(plain)
        onnx.save(plain, folder / "plain.onnx")
        ranges = calibrated(folder / "plain.onnx", names, feeds, method, listener or Silence())
        kept += nodes_beyond_numbers(plain, ranges.unbounded)
        made = _quantise(folder / "plain.onnx", folder, ranges, kept)
        for _ in range(ATTEMPTS):
            if not (results := results_without_integers(made)):
                break
            widen(ranges, results)
            made = _quantise(folder / "plain.onnx", folder, ranges, kept)
    give_names_back(made, names)
    result = checked_model(made.SerializeToString(), Path())
    if not result.is_quantised:
        raise ModelRefused(
            "nothing in the model can be quantised: all of it meets infinities or is unknown to ONNX Runtime"
        )
    return Quantised(result, prepared)


def require_float(model: Model) -> None:
    """Raise ``ModelRefused`` for a model that is quantised already, saying how if its user might not know."""
    if any(node.op_type in DYNAMIC for node in model.proto.graph.node):
        raise ModelRefused(
            "the model is quantised dynamically already, its scales following from each input; "
            "quantise the float model that it was made from"
        )
    if model.is_quantised:
        raise ModelRefused("the model is quantised already")


def _folded(model: onnx.ModelProto, folder: Path, keep: Sequence[str]) -> onnx.ModelProto:
    """The model in an opset that the quantiser can use, with constants folded, and affine nodes into layers."""
    changed = _copy(model)
    for node in changed.graph.node:
        if node.op_type == "Sum" and len(node.input) == 2:
            node.op_type = "Add"  # which the quantiser knows
    if any(entry.domain in ("", "ai.onnx") and entry.version < LEAST_OPSET for entry in changed.opset_import):
        changed = version_converter.convert_version(changed, LEAST_OPSET)
    path = folder / "folded.onnx"
    open_session(fold_affine(changed, keep)[0], Level.ORT_ENABLE_BASIC, keep=path)
    folded = onnx.load(path)
    name_nodes(folded)
    return folded


def _quantise(path: Path, folder: Path, ranges: Ranges, keep: Sequence[str]) -> onnx.ModelProto:
    # Imported here: it takes a second.
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import save_tensors_data

    known, target = folder / "ranges.json", folder / "int8.onnx"
    save_tensors_data(ranges.tensors, known)
    quantize_static(
        path,
        target,
        None,
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        nodes_to_exclude=list(keep),
        calibrate_method=ranges.tensors.calibration_method,
        calibration_cache_path=known,
        extra_options={
            "ActivationSymmetric": False,
            "WeightSymmetric": True,
            "TensorQuantOverrides": weight_ranges(onnx.load(path).graph),
        },
    )
    return onnx.load(target)


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Turns whatever the quantiser raises, which is anything, into ``ModelRefused``."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:
        raise ModelRefused(f"ONNX Runtime cannot quantise the model: {one_sentence(error)}") from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantiser's remarks, which it makes on the root logger, and numpy's on what it computes."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
