"""A float model made int8 by ONNX Runtime's own quantiser, in the form that fits the accelerator.

QDQ, weights int8 with a scale for each output channel and no zero point, activations uint8 with a zero point, so that
ReLU is saturation. On x86, ONNX Runtime keeps uint8 activations in its integer kernels wherever they go, int8
ones only where they do not branch; on import they become int8 either way.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import version_converter

from wingrid.host.errors import UserError
from wingrid.host.onnx_models.affine_folding import fold_affine
from wingrid.host.onnx_models.inputs import require_room
from wingrid.host.onnx_models.model_file import checked_model, read_model
from wingrid.host.onnx_models.operators import require_operators
from wingrid.host.onnx_models.refusal import ModelRefused, one_sentence
from wingrid.host.onnx_models.shapes import model_input, open_type, with_input_shape
from wingrid.host.onnx_models.tensors import is_quantised

LEAST_OPSET = 13
"""The first with a scale for each channel."""


def quantised(model: onnx.ModelProto, samples: npt.NDArray, keep: Sequence[str] = ()) -> onnx.ModelProto:
    """The checked float model, quantised with activations in the range that ``samples`` [N, ...] give rise to.

    The nodes named in ``keep`` stay in floating point.

    Raises ``ModelRefused`` for a model that is quantised already or cannot be, ``UserError`` for unfit samples.
    """
    if is_quantised(model):
        raise ModelRefused("the model is quantised already")
    require_operators(model)
    value = model_input(model)
    wanted = open_type(value)
    batches = _batches(samples, wanted.shape[0] if wanted.shape and isinstance(wanted.shape[0], int) else 1)
    first = next(iter(batches))
    if first.dtype != wanted.dtype or not wanted.admits(first.shape):
        raise UserError(f"calibration samples must be {wanted}, not {first.dtype} {list(first.shape)}")
    if not np.isfinite(samples).all():
        raise UserError("calibration samples must be finite numbers")
    with_input_shape(model, first.shape)
    with tempfile.TemporaryDirectory(prefix="wingrid-") as folder, _quiet():
        source, prepared, target = (Path(folder) / name for name in ("float.onnx", "prepared.onnx", "int8.onnx"))
        try:
            onnx.save(fold_affine(_modern(model), keep)[0], source)
            _quantise(source, prepared, target, value.name, batches, keep)
        except Exception as error:  # the quantiser raises whatever comes up
            raise ModelRefused(f"ONNX Runtime cannot quantise the model: {one_sentence(error)}") from None
        return checked_model(target.read_bytes(), Path(folder))


def _quantise(
    source: Path, prepared: Path, target: Path, name: str, batches: list[npt.NDArray], keep: Sequence[str]
) -> None:
    # Imported here: it takes a second.
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._batches = iter(batches)

        def get_next(self) -> dict[str, npt.NDArray] | None:
            batch = next(self._batches, None)
            return None if batch is None else {name: batch}

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


def _batches(samples: npt.NDArray, size: int) -> list[npt.NDArray]:
    if samples.ndim < 1 or len(samples) < size:
        raise UserError(f"calibration needs at least {size} samples, one below the other, not {list(samples.shape)}")
    return [samples[start : start + size] for start in range(0, len(samples) - size + 1, size)]


def quantise_file(path: Path, calibration: Path) -> bytes:
    """The content of an .onnx file, quantised; ``calibration`` is an .npz file of inputs. Raises ``UserError``."""
    model = read_model(path)
    try:
        samples = calibration_samples(calibration, model_input(model).name)
        return quantised(model, samples).SerializeToString()
    except ModelRefused as refusal:
        raise type(refusal)(f"{path}: {refusal}") from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantiser's remarks, which it makes on the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _require_room_for(path: Path, name: str) -> None:
    """Raise ``UserError`` if the array promises more than there could be room for."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
        if reader := readers.get(np.lib.format.read_magic(member)):
            shape, _, dtype = reader(member)
            require_room(dtype, shape, f"{path}: array {name}")


def calibration_samples(path: Path, name: str) -> npt.NDArray:
    """The array named like the model's input, or the only one, of an .npz file; floats become float32.

    Raises ``UserError`` if there is none.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if isinstance(file, np.ndarray):
                raise ValueError
            names = list(file.keys())
            if name not in names and len(names) != 1:
                raise UserError(
                    f"{path} must hold an array named {name}, as the model's input is, not {', '.join(names) or 'none'}"
                )
            chosen = name if name in names else names[0]
            _require_room_for(path, chosen)
            samples = file[chosen]
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except Exception:  # zip and number formats fail in many ways
        raise UserError(f"{path} is no .npz file of arrays") from None
    return samples.astype(np.float32) if np.issubdtype(samples.dtype, np.floating) else samples
