"""A network run from its image alone: the array's entries on a machine, the host's work between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.images.binary import EntryRecord, TensorRecord
from wingrid.host.images.format import ElementType
from wingrid.host.images.host_steps import carry_out
from wingrid.host.images.image import Image
from wingrid.host.onnx_models.graph import as_type, signed
from wingrid.host.onnx_models.session import Value
from wingrid.hw.registers import Counter


class Machine(Protocol):
    """Something that runs programs which lie in its memory."""

    @property
    def memory(self) -> npt.NDArray[np.uint8]:
        """The image's memory, from its base on."""
        ...

    def run(self, entry: EntryRecord) -> dict[Counter, int] | None:
        """Run an entry to its end; the counters, if the machine has some."""
        ...


@dataclass
class ImageRun:
    """What came of it."""

    outputs: dict[str, Value] = field(default_factory=dict)
    counters: dict[str, dict[Counter, int]] = field(default_factory=dict)
    """By the name of the entry, of machines that count."""


def run_image(image: Image, machine: Machine, inputs: Mapping[str, npt.NDArray]) -> ImageRun:
    """Load the image, then go through its steps; inputs and outputs by the manifest's names.

    Raises ``UserError`` for inputs that are not the network's.
    """
    require_inputs(image, inputs)
    machine.memory[: len(image.binary)] = np.frombuffer(image.binary, np.uint8)
    return run_loaded(image, machine, inputs)


def run_loaded(image: Image, machine: Machine, inputs: Mapping[str, npt.NDArray]) -> ImageRun:
    """The same where the image is in memory already, for one input after the other."""
    require_inputs(image, inputs)
    values: dict[str, Value] = dict(inputs)
    described = {tensor["name"]: tensor for tensor in image.manifest["tensors"]}
    result = ImageRun()
    for step in image.manifest["steps"]:
        if "host" in step:
            values |= carry_out(step, values, image.segments)
            continue
        for name in step["inputs"]:
            write_tensor(machine.memory, image.tensor(name), values[described[name]["value"]])
        counters = machine.run(image.entry(step["entry"]))
        if counters is not None:
            result.counters[step["entry"]] = counters
        for name in step["outputs"]:
            read = read_tensor(machine.memory, image.tensor(name))
            values[described[name]["value"]] = read.reshape(described[name]["shape"])
    result.outputs = {name: values[name] for name in image.manifest["outputs"]}
    return result


def write_tensor(memory: npt.NDArray[np.uint8], tensor: TensorRecord, values: npt.NDArray) -> None:
    """Put a tensor of int8 or uint8, of any shape in C order, into the image's memory."""
    content = tensor.layout.pack(signed(np.ascontiguousarray(values)))
    memory[tensor.offset : tensor.offset + len(content)] = content


def read_tensor(memory: npt.NDArray[np.uint8], tensor: TensorRecord) -> npt.NDArray:
    """A tensor from the image's memory, int8 or uint8 [elements]."""
    content = memory[tensor.offset : tensor.offset + tensor.layout.bytes]
    return as_type(tensor.layout.unpack(content), np.dtype(ElementType(tensor.type).name.lower()))


def require_inputs(image: Image, inputs: Mapping[str, npt.NDArray]) -> None:
    """Raise ``UserError`` for inputs that are not the network's."""
    wanted = image.manifest["inputs"]
    if set(inputs) != set(wanted):
        raise UserError(f"the network takes {', '.join(wanted)}, and is given {', '.join(inputs) or 'nothing'}")
    for name, value in inputs.items():
        kind = wanted[name]
        if str(value.dtype) != kind["type"] or list(value.shape) != kind["shape"]:
            raise UserError(
                f"input {name} must be {kind['type']} {kind['shape']}, not {value.dtype} {list(value.shape)}"
            )
