"""An .onnx file as a model that has been checked, in memory that the file's own size bounds."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from onnx import checker, external_data_helper

from wingrid.host.onnx_models.refusal import ModelRefused, one_sentence
from wingrid.host.onnx_models.tensors import require_scales, require_whole, stored_tensors

LARGEST_FILE = 2**31 - 1
"""Bytes of a protobuf message; larger models keep their tensors in a second file."""

OLDEST_OPSET = 7
"""The first whose operators ONNX Runtime still runs."""


def read_model(path: Path) -> onnx.ModelProto:
    """The model of a file, its tensors whole and its scales usable.

    Raises ``ModelRefused`` (a ``UserError``), one sentence, for what is no model or not a sound one. Tensors in a
    second file beside it are read too.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise ModelRefused(f"{path} has {size} bytes, more than the {LARGEST_FILE} that an ONNX file can have")
        content = path.read_bytes()
    except OSError as error:
        raise ModelRefused(f"cannot read {path}: {error.strerror or error}") from None
    try:
        return checked_model(content, path.parent)
    except ModelRefused as refusal:
        raise ModelRefused(f"{path}: {refusal}") from None


def checked_model(content: bytes, folder: Path) -> onnx.ModelProto:
    """The model that these bytes are; ``folder`` is where a second file with tensors would be."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except (DecodeError, RecursionError):
        raise ModelRefused("the file is no ONNX model, or it is cut short") from None
    require_text(model)
    if not model.HasField("graph") or not model.graph.node:
        raise ModelRefused("the file is no ONNX model: it has no graph, or a graph without nodes")
    if not model.graph.output:
        raise ModelRefused("the model's graph has no output")
    require_known_form(model)
    for tensor in stored_tensors(model):
        require_whole(tensor)
    load_second_file(model, folder)
    name_nodes(model)
    require_sound(model)
    require_scales(model)
    return model


def require_text(message: Message) -> None:
    """Raise ``ModelRefused`` for a name that is no UTF-8: protobuf lets them in, and fails or gives bytes later."""
    for field, value in message.ListFields():
        entries = (value,) if isinstance(value, str | bytes | Message) else value
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for entry in entries:
                require_text(entry)
        elif field.type == FieldDescriptor.TYPE_STRING:
            try:
                text = all(isinstance(entry, str) for entry in entries)
            except UnicodeDecodeError:
                text = False
            if not text:
                raise ModelRefused("the file is no ONNX model: it holds names that are no UTF-8")


def require_sound(model: onnx.ModelProto) -> None:
    """Raise ``ModelRefused`` with the ONNX checker's reason.

    It wants a shape for each output; ONNX Runtime does not, and so many models have none.
    """
    shapeless = [
        value.type.tensor_type
        for value in model.graph.output
        if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape")
    ]
    for tensor in shapeless:
        tensor.shape.SetInParent()
    try:
        checker.check_model(model)
    except (checker.ValidationError, ValueError, RuntimeError) as error:
        raise ModelRefused(f"the ONNX checker refuses the model: {one_sentence(error)}") from None
    finally:
        for tensor in shapeless:
            tensor.ClearField("shape")


def require_known_form(model: onnx.ModelProto) -> None:
    """Raise ``ModelRefused`` for versions and parts of ONNX that are not read."""
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    newest = onnx.defs.onnx_opset_version()
    if len(versions) != 1:
        raise ModelRefused(f"the model must name one version of ONNX's operators, not {len(versions)}")
    if not OLDEST_OPSET <= versions[0] <= newest:
        raise ModelRefused(f"opset {versions[0]} is not one of {OLDEST_OPSET} to {newest}, which can be read")
    if model.ir_version > onnx.IR_VERSION:
        raise ModelRefused(
            f"IR version {model.ir_version} is newer than {onnx.IR_VERSION}, the newest that can be read"
        )
    if model.functions:
        raise ModelRefused("models with functions of their own cannot be read; export it with functions inlined")
    if model.graph.sparse_initializer:
        raise ModelRefused("models with sparse initialisers cannot be read")


def load_second_file(model: onnx.ModelProto, folder: Path) -> None:
    """Read the tensors that lie outside; raises ``ModelRefused`` if that is not a file in the same folder."""
    outside = [tensor for tensor in stored_tensors(model) if tensor.data_location == onnx.TensorProto.EXTERNAL]
    for tensor in outside:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        place = entries.get("location", "")
        if not place or Path(place).name != place:
            raise ModelRefused(f"tensor {tensor.name} must lie in a file beside the model, not in {place!r}")
        try:
            held = (folder / place).stat().st_size
            if int(entries.get("length", 0)) + int(entries.get("offset", 0)) > held:
                raise ModelRefused(f"tensor {tensor.name} lies beyond the end of {place}")
            external_data_helper.load_external_data_for_tensor(tensor, str(folder))
        except ModelRefused:
            raise
        except (OSError, ValueError, checker.ValidationError) as error:
            raise ModelRefused(f"tensor {tensor.name} cannot be read from {place}: {one_sentence(error)}") from None
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
        require_whole(tensor)


def name_nodes(model: onnx.ModelProto) -> None:
    """Give each node a name of its own, that of its first output where it has none."""
    taken: set[str] = set()
    for node in model.graph.node:
        name = wanted = node.name or (node.output[0] if node.output else node.op_type)
        suffix = 1
        while name in taken:
            suffix += 1
            name = f"{wanted}_{suffix}"
        taken.add(name)
        node.name = name
