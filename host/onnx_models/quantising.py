"""A float model made int8 by ONNX Runtime's own quantiser, in the form that fits the accelerator.

QDQ, weights int8 with a scale for each output channel and no zero point, activations uint8 with a zero point, so that
ReLU is saturation. On x86, ONNX Runtime keeps uint8 activations in its integer kernels wherever they go, int8
ones only where they do not branch; on import they become int8 either way.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import onnx
from onnx import version_converter

from wingrid.host.errors import UserError
from wingrid.host.onnx_models.affine_folding import fold_affine
from wingrid.host.onnx_models.archives import read_archive
from wingrid.host.onnx_models.inputs import Values, model_inputs
from wingrid.host.onnx_models.model_file import Model, about, checked_model, read_model
from wingrid.host.onnx_models.refusal import ModelRefused, one_sentence
from wingrid.host.onnx_models.shapes import OpenType, bound
from wingrid.host.onnx_models.sizes import Sizes

LEAST_OPSET = 13
"""The first with a scale for each channel."""


def quantised(model: Model, feeds: Sequence[Values], keep: Sequence[str] = ()) -> Model:
    """The float model, quantised with activations in the range that ``feeds``, inputs by name, give rise to.

    The nodes named in ``keep`` stay in floating point.

    Raises ``ModelRefused`` for a model that is quantised already or cannot be, ``UserError`` for unfit samples.
    """
    if model.is_quantised:
        raise ModelRefused("the model is quantised already")
    bound(model.proto, {name: value.shape for name, value in feeds[0].items()})
    with tempfile.TemporaryDirectory(prefix="wingrid-") as folder, _quiet():
        source, prepared, target = (Path(folder) / name for name in ("float.onnx", "prepared.onnx", "int8.onnx"))
        try:
            onnx.save(fold_affine(_modern(model.proto), keep)[0], source)
            _quantise(source, prepared, target, feeds, keep)
        except Exception as error:  # the quantiser raises whatever comes up
            raise ModelRefused(f"ONNX Runtime cannot quantise the model: {one_sentence(error)}") from None
        return checked_model(target.read_bytes(), Path(folder))


def in_batches(samples: Values, inputs: Mapping[str, OpenType]) -> list[Values]:
    """Samples one below the other, cut into batches as large as the model fixes them, or into single ones.

    Raises ``UserError`` for what the model does not take.
    """
    sizes = {name: wanted.shape[0] if wanted.shape else 1 for name, wanted in inputs.items()}
    batches = {name: size if isinstance(size, int) else 1 for name, size in sizes.items()}
    count = min(len(samples[name]) // batches[name] if samples[name].ndim else 0 for name in inputs)
    if not count:
        least = ", ".join(f"{size} of {name}" for name, size in batches.items())
        raise UserError(f"calibration needs at least so many samples, one below the other: {least}")
    return [
        model_inputs(
            inputs,
            {name: samples[name][index * size : (index + 1) * size] for name, size in batches.items()},
            Sizes(),
        )
        for index in range(count)
    ]


def _quantise(source: Path, prepared: Path, target: Path, feeds: Sequence[Values], keep: Sequence[str]) -> None:
    # Imported here: it takes a second.
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._feeds = iter(feeds)

        def get_next(self) -> Values | None:
            return next(self._feeds, None)

    quant_pre_process(source, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared,
        target,
        Reader(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        nodes_to_exclude=list(keep),
        extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
    )


def _modern(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in an opset that the quantiser can use, and with sums of two as the addition that it knows."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for node in changed.graph.node:
        if node.op_type == "Sum" and len(node.input) == 2:
            node.op_type = "Add"
    if any(entry.domain in ("", "ai.onnx") and entry.version < LEAST_OPSET for entry in changed.opset_import):
        # It wants constants among the inputs, as the oldest models have them.
        changed = version_converter.convert_version(changed, LEAST_OPSET)
    return changed


def quantise_file(path: Path, calibration: Path) -> bytes:
    """The content of an .onnx file, quantised; ``calibration`` is an .npz file of inputs. Raises ``UserError``."""
    model = read_model(path)
    with about(path):
        samples = calibration_samples(calibration, model.inputs)
        return quantised(model, in_batches(samples, model.inputs)).proto.SerializeToString()


def calibration_samples(path: Path, inputs: Mapping[str, OpenType]) -> Values:
    """The arrays named like the model's inputs, or the only one for the only input, of an .npz file.

    Raises ``UserError`` if there are none.
    """
    arrays = read_archive(path)
    if len(arrays) == len(inputs) == 1:
        return {next(iter(inputs)): next(iter(arrays.values()))}
    if missing := [name for name in inputs if name not in arrays]:
        raise UserError(
            f"{path} must hold arrays named {', '.join(missing)}, as the model's inputs are, "
            f"not {', '.join(arrays) or 'none'}"
        )
    return {name: arrays[name] for name in inputs}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantiser's remarks, which it makes on the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
