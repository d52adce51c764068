"""An .onnx file as a model that has been checked and put in order, in memory that the file's own size bounds."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from onnx import checker, external_data_helper

from wingrid.host.onnx_models.canonical_form import put_in_order
from wingrid.host.onnx_models.refusal import ModelRefused, one_sentence
from wingrid.host.onnx_models.shapes import OpenType, open_type
from wingrid.host.onnx_models.tensors import is_quantised, require_scales, require_whole, stored_tensors

NAMES = ("name", "input", "output", "op_type", "domain", "overload", "dim_param")
"""Fields of ONNX's messages whose text is a name."""

LARGEST_FILE = 2**31 - 1
"""Bytes of a protobuf message; larger models keep their tensors in a second file."""


@dataclass(frozen=True)
class Model:
    """A model that was checked and put in order, as ``put_in_order`` does."""

    proto: onnx.ModelProto = dataclasses.field(repr=False)
    changes: tuple[str, ...] = ()
    """A sentence for each thing that is not as the file has it."""

    @cached_property
    def inputs(self) -> dict[str, OpenType]:
        """What the model takes, by name. Raises ``ModelRefused`` for an input that cannot be given."""
        return {value.name: open_type(value) for value in self.proto.graph.input}

    @property
    def is_quantised(self) -> bool:
        """Whether some tensor of the model is quantised at all."""
        return is_quantised(self.proto)


def read_model(path: Path) -> Model:
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
    with about(path):
        return checked_model(content, path.parent)


@contextlib.contextmanager
def about(path: Path) -> Iterator[None]:
    """Puts the path in front of what is refused."""
    try:
        yield
    except ModelRefused as refusal:
        raise type(refusal)(f"{path}: {refusal}") from None


def checked_model(content: bytes, folder: Path) -> Model:
    """The model that these bytes are; ``folder`` is where a second file with tensors would be."""
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(content)
    except (DecodeError, RecursionError):
        raise ModelRefused("the file is no ONNX model, or it is cut short") from None
    require_text(proto)
    if not proto.HasField("graph") or not proto.graph.node:
        raise ModelRefused("the file is no ONNX model: it has no graph, or a graph without nodes")
    if not proto.graph.output:
        raise ModelRefused("the model's graph has no output")
    for tensor in stored_tensors(proto):
        require_whole(tensor)
    load_second_file(proto, folder)
    name_nodes(proto)
    changes = tuple(put_in_order(proto))
    require_scales(proto)
    return Model(proto, changes)


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
            if field.name in NAMES and not all(str(entry).isprintable() for entry in entries):
                raise ModelRefused("the file holds names with line breaks or other characters that cannot be shown")


def model_contents(path: Path) -> dict[str, bytes]:
    """The files of a model that can be loaded, by name: its own, and those beside it in which tensors lie."""
    content = path.read_bytes()
    places = {
        entry.value
        for tensor in stored_tensors(onnx.ModelProto.FromString(content))
        if tensor.data_location == onnx.TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    return {path.name: content, **{place: (path.parent / place).read_bytes() for place in sorted(places)}}


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
