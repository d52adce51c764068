"""What the firmware has to do for one image: which tensors it fills, starts and prints, as C tables and as memory."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.images.host_steps import carry_out
from wingrid.host.images.image import Image
from wingrid.host.onnx_models.session import Value

ALIGNMENT = 64
"""Of each value in memory, in bytes."""

QUANTISER = ["QuantizeLinear"]
"""The step of the host that the firmware does by itself, where it comes first."""


@dataclass(frozen=True)
class Job:
    """The firmware's work on an image, for samples of its inputs."""

    image: Image = field(repr=False)
    header: str = field(repr=False)
    """``job.h``: the firmware's tables."""
    memory: npt.NDArray[np.uint8] = field(repr=False)
    """What memory holds at the start, from the image's base on."""
    left: tuple[str, ...]
    """Tensors of the image that the firmware prints."""
    known: tuple[Mapping[str, Value], ...] = field(repr=False)
    """Of each sample, the values by name that are known before the firmware starts."""

    def outputs(self, sample: int, printed: Mapping[str, bytes]) -> dict[str, Value]:
        """The network's outputs, by name, after the host's last steps on what the firmware printed."""
        values = dict(self.known[sample])
        for name in self.left:
            told = _described(self.image)[name]
            values[told["value"]] = np.frombuffer(printed[name], told["type"]).reshape(told["shape"])
        for step in self.image.manifest["steps"]:
            if "host" in step and not set(step["outputs"]) <= set(values):
                values |= carry_out(step, values, self.image.segments)
        return {name: values[name] for name in self.image.manifest["outputs"]}


def job_for(image: Image, inputs: Mapping[str, npt.NDArray]) -> Job:
    """The job for samples, stacked along a new first axis of each input.

    Raises ``UserError`` where the host has work between the entries, which no firmware here does.
    """
    before, entries, after = _parts(image)
    described = _described(image)
    samples = len(next(iter(inputs.values())))
    real = all(step["host"] == QUANTISER and step["inputs"][0] in inputs for step in before)
    known: list[dict[str, Value]] = []
    for sample in range(samples):
        values: dict[str, Value] = {name: value[sample] for name, value in inputs.items()}
        for step in () if real else before:
            values |= carry_out(step, values, image.segments)
        known.append(values)

    # Every value that an entry takes or leaves has a place behind the image's memory; the samples lie behind all.
    moved = dict.fromkeys(itertools.chain.from_iterable((*entry["inputs"], *entry["outputs"]) for entry in entries))
    value_of = {name: described[name]["value"] for name in moved}
    room = {value_of[name]: int(np.prod(described[name]["shape"])) for name in moved}
    places, end = _placed(room, image.contents.memory_bytes)
    made = {value_of[name] for entry in entries for name in entry["outputs"]}
    taken = {value_of[name]: name for entry in entries for name in entry["inputs"] if value_of[name] not in made}
    source = {step["outputs"][0]: step["inputs"][0] for step in before} if real else {}
    stacked = {value: np.stack([np.asarray(values[source.get(value, value)]) for values in known]) for value in taken}
    sample_places, end = _placed({value: content.nbytes for value, content in stacked.items()}, end)
    memory = np.zeros(end, np.uint8)
    memory[: len(image.binary)] = np.frombuffer(image.binary, np.uint8)
    for value, content in stacked.items():
        memory[sample_places[value] :][: content.nbytes] = np.frombuffer(content.tobytes(), np.uint8)

    wanted = {name for step in after for name in step["inputs"]} | set(image.manifest["outputs"])
    left = tuple(name for entry in entries for name in entry["outputs"] if value_of[name] in wanted)
    index = {tensor.name: place for place, tensor in enumerate(image.contents.tensors)}

    def moves(names: Sequence[str]) -> list[str]:
        return [f"{{{index[name]}, 0x{places[value_of[name]]:x}}}" for name in names]

    taken_rows = [
        f"{{{index[name]}, 0x{places[value]:x}, 0x{sample_places[value]:x}, {stacked[value][0].nbytes}, {room[value]}, "
        f"{int(value in source)}}}"
        for value, name in taken.items()
    ]
    left_rows = [
        f"{{{index[name]}, 0x{places[value_of[name]]:x}, {room[value_of[name]]}, {int(_is_scores(described[name]))}, "
        f"{int(described[name]['type'] == 'int8')}}}"
        for name in left
    ]
    entry_rows = []
    tables = []
    for number, entry in enumerate(entries):
        for way in ("inputs", "outputs"):
            tables.append(_table("job_move", f"entry_{number}_{way}", moves(entry[way])))
        entry_rows.append(
            f"{{entry_{number}_inputs, {len(entry['inputs'])}, entry_{number}_outputs, {len(entry['outputs'])}}}"
        )
    tables += [
        _table("job_sample", "job_samples", taken_rows),
        _table("job_entry", "job_entries", entry_rows),
        _table("job_left", "job_left", left_rows),
    ]
    numbers = {
        "IMAGE_MEMORY": image.contents.memory_bytes, "SAMPLES": samples, "INPUTS": len(taken_rows),
        "ENTRIES": len(entry_rows), "LEFT": len(left_rows),
    }  # fmt: skip
    lines = ["/* The firmware's work on one image. Generated. */", '#include "job_tables.h"', ""]
    lines += [f"#define JOB_{name} {value}u" for name, value in numbers.items()]
    return Job(image, "\n".join([*lines, "", *tables]), memory, left, tuple(known))


def _parts(image: Image) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """The manifest's steps before the first entry, the entries, and the steps after the last one."""
    steps = image.manifest["steps"]
    entries = [place for place, step in enumerate(steps) if "entry" in step]
    if not entries:
        raise UserError(f"{image.manifest['network']} has no layers for the array")
    inner = steps[entries[0] : entries[-1] + 1]
    for step in inner:
        if "host" in step:
            raise UserError(
                f"{image.manifest['network']} leaves the array for {', '.join(step['host'])}: the firmware runs "
                "networks whose layers follow each other on the array"
            )
    return steps[: entries[0]], inner, steps[entries[-1] + 1 :]


def _described(image: Image) -> dict[str, dict[str, Any]]:
    return {tensor["name"]: tensor for tensor in image.manifest["tensors"]}


def _is_scores(tensor: Mapping[str, Any]) -> bool:
    """Whether the tensor is one image's row of scores, the largest of which names the class."""
    shape = tensor["shape"]
    return len(shape) >= 2 and shape[0] == 1 and shape[1] > 1 and int(np.prod(shape[2:])) == 1


def _placed(room: Mapping[str, int], start: int) -> tuple[dict[str, int], int]:
    """A place for each, one behind the other, and where they end."""
    places = {}
    for name, size in room.items():
        places[name] = start
        start += -(-size // ALIGNMENT) * ALIGNMENT
    return places, start


def _table(structure: str, name: str, rows: Sequence[str]) -> str:
    return f"static const struct {structure} {name}[] = {{\n" + "".join(f"    {row},\n" for row in rows) + "};\n"
