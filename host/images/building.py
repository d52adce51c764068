"""From a network to its image: layers compiled, tensors placed, programs linked, everything described."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wingrid.host.compiler.compile_layer import CompiledLayer, PlannedLayer, plan_exactly
from wingrid.host.compiler.layout import pack_parameters, pack_tables
from wingrid.host.compiler.memory_map import page_after, parameter_bytes, table_bytes
from wingrid.host.images.binary import EntryRecord, Tables, TensorRecord, require_addresses, room_for
from wingrid.host.images.format import FORMAT, ElementType
from wingrid.host.images.image import BINARY, Image, digest
from wingrid.host.images.linking import Addresses, linked, unplaced
from wingrid.host.images.segmentation import Entry, MemoryTensor, Segmentation, segmented
from wingrid.host.images.tensor_layout import TensorLayout
from wingrid.host.images.tensor_memory import tensor_memory
from wingrid.host.images.work import HostWork, Work
from wingrid.host.onnx_models.graph import AcceleratedStep
from wingrid.hw.config import INSTRUCTION_BYTES, AcceleratorConfig
from wingrid.hw.encoding import record
from wingrid.hw.isa import Load
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.timing.model import simulate


def build_image(
    work: Work,
    config: AcceleratorConfig,
    timing: MemoryTiming | None = None,
    algorithm: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> Image:
    """The network's image for this accelerator, with the cycles that it takes on this memory.

    ``timing`` defaults as in ``RtlSimulator``; ``progress`` hears the name of each layer that is planned.
    Raises ``LayerError`` for what the accelerator cannot do, and ``UserError`` for more memory than offsets reach.
    """
    timing = MemoryTiming.for_bus(config.bus_bytes) if timing is None else timing
    steps = [step for step in work.steps if isinstance(step, AcceleratedStep)]
    planned = [_planned(step, config, algorithm, progress) for step in steps]
    segmentation = segmented(work, planned)
    compiled = [layer.compiled() for layer in planned]
    places = _Places.of(segmentation, planned, compiled, config, work.name)
    programs = _programs(segmentation, compiled, places)
    cycles = [
        simulate(config, program, timing, program_address=start).cycles
        for program, start in zip(programs, places.programs, strict=True)
    ]
    entries = _entry_records(segmentation, steps, places, programs, cycles)
    tables = Tables(config, entries, _tensor_records(segmentation, places))
    content = bytearray(places.file_bytes - tables.size)

    def put(start: int, part: bytes) -> None:
        content[start - tables.size : start - tables.size + len(part)] = part

    for program, start in zip(programs, places.programs, strict=True):
        put(start, program)
    for number, (step, layer) in enumerate(zip(steps, compiled, strict=True)):
        operands = layer.operands(step.operands)
        put(places.weights[number], layer.packed_weights(operands).tobytes())
        put(places.parameters[number], pack_parameters(layer.layer, operands, config).tobytes())
        put(places.tables[number], pack_tables(layer.layer, operands, config).tobytes())
    binary = tables.file(bytes(content), places.memory_bytes)
    segments = {
        f"segment-{number}.onnx": step.model
        for number, step in enumerate(segmentation.steps)
        if isinstance(step, HostWork) and step.model is not None
    }
    manifest = _manifest(work, config, timing, segmentation, steps, compiled, places, entries, programs, segments)
    return Image(
        binary,
        {**manifest, "files": {name: digest(part) for name, part in {BINARY: binary, **segments}.items()}},
        segments,
    )


def _planned(
    step: AcceleratedStep,
    config: AcceleratorConfig,
    algorithm: str | None,
    progress: Callable[[str], None] | None,
) -> PlannedLayer:
    if progress is not None:
        progress(step.name)
    layer = plan_exactly(step.layer, lambda: step.operands, config, algorithm)
    return dataclasses.replace(layer, memory=unplaced(config.bus_bytes))


@dataclass(frozen=True)
class _Places:
    """Offsets from the image's base, and sizes."""

    programs: list[int]
    """Of each entry."""
    weights: list[int]
    """Of each layer, as in what follows."""
    parameters: list[int]
    tables: list[int]
    """Those that results are looked up in, behind the parameters; of a layer without, where they would be."""
    tensors: dict[MemoryTensor, int]
    header_bytes: int
    weight_bytes: int
    parameter_bytes: int
    """With tables."""
    activation_bytes: int
    file_bytes: int
    memory_bytes: int

    @classmethod
    def of(
        cls,
        segmentation: Segmentation,
        planned: Sequence[PlannedLayer],
        compiled: Sequence[CompiledLayer],
        config: AcceleratorConfig,
        name: str,
    ) -> _Places:
        steps = [str(layer.layer.name) for layer in planned]
        names = [
            EntryRecord(
                _entry_name(entry, steps),
                0,
                0,
                0,
                _indices(segmentation, entry.inputs),
                _indices(segmentation, entry.outputs),
            )
            for entry in segmentation.entries
        ]
        unknown = [_tensor_record(tensor, 0) for tensor in segmentation.tensors]
        end = header_bytes = Tables(config, names, unknown).size
        programs = []
        for entry in segmentation.entries:
            programs.append(end)
            end += sum(len(compiled[layer].program) for layer in entry.layers)
        starts: list[tuple[int, int, int]] = []
        sizes = [
            (
                layer.weight_bytes,
                parameter_bytes(layer.plan.blocking, config),
                table_bytes(layer.layer, layer.plan.blocking, config),
            )
            for layer in planned
        ]
        for weights, parameters, tables in sizes:
            first = room_for(end, weights, config.bus_bytes)
            second = room_for(first + weights, parameters, config.bus_bytes)
            third = room_for(second + parameters, tables, config.bus_bytes)
            starts.append((first, second, third))
            end = third + tables
        memory = tensor_memory(segmentation)
        beyond = page_after(end)
        require_addresses(beyond + memory.peak, name)
        return cls(
            programs,
            [first for first, _, _ in starts],
            [second for _, second, _ in starts],
            [third for _, _, third in starts],
            {tensor: beyond + at.start for tensor, at in zip(segmentation.tensors, memory.tensors, strict=True)},
            header_bytes,
            sum(weights for weights, *_ in sizes),
            sum(parameters + tables for _, parameters, tables in sizes),
            memory.peak,
            end,
            beyond + memory.peak,
        )

    def addresses(self, segmentation: Segmentation, layer: int) -> Addresses:
        """Of a layer's tensors."""
        return Addresses(
            self.weights[layer],
            self.parameters[layer],
            self.tables[layer],
            self.tensors[segmentation.taken[layer]],
            self.tensors[added] if (added := segmentation.added[layer]) else 0,
            self.tensors[segmentation.left[layer]] + segmentation.offsets[layer],
        )


def _programs(segmentation: Segmentation, compiled: Sequence[CompiledLayer], places: _Places) -> list[bytes]:
    return [
        b"".join(
            linked(compiled[layer].program, places.addresses(segmentation, layer), fence=layer != entry.layers[0])
            for layer in entry.layers
        )
        for entry in segmentation.entries
    ]


def _entry_name(entry: Entry, layers: Sequence[str]) -> str:
    first, last = layers[entry.layers[0]], layers[entry.layers[-1]]
    return first if first == last else f"{first} to {last}"


def _indices(segmentation: Segmentation, tensors: Sequence[MemoryTensor]) -> tuple[int, ...]:
    return tuple(segmentation.tensors.index(tensor) for tensor in tensors)


def _entry_records(
    segmentation: Segmentation,
    steps: Sequence[AcceleratedStep],
    places: _Places,
    programs: Sequence[bytes],
    cycles: Sequence[int],
) -> list[EntryRecord]:
    names = [step.name for step in steps]
    return [
        EntryRecord(
            _entry_name(entry, names),
            start,
            len(program) // INSTRUCTION_BYTES,
            count,
            _indices(segmentation, entry.inputs),
            _indices(segmentation, entry.outputs),
        )
        for entry, start, program, count in zip(segmentation.entries, places.programs, programs, cycles, strict=True)
    ]


def _tensor_records(segmentation: Segmentation, places: _Places) -> list[TensorRecord]:
    return [_tensor_record(tensor, places.tensors[tensor]) for tensor in segmentation.tensors]


def _tensor_record(tensor: MemoryTensor, offset: int) -> TensorRecord:
    kind = ElementType[str(tensor.type.dtype).upper()]
    zero_point = tensor.zero_point + (128 if kind is ElementType.UINT8 else 0)
    return TensorRecord(tensor.name, kind, tensor.scale, zero_point, offset, tensor.layout)


def _manifest(
    work: Work,
    config: AcceleratorConfig,
    timing: MemoryTiming,
    segmentation: Segmentation,
    steps: Sequence[AcceleratedStep],
    compiled: Sequence[CompiledLayer],
    places: _Places,
    entries: Sequence[EntryRecord],
    programs: Sequence[bytes],
    segments: dict[str, bytes],
) -> dict[str, Any]:
    described: list[dict[str, Any]] = []
    records = iter(zip(entries, programs, strict=True))
    for number, step in enumerate(segmentation.steps):
        if isinstance(step, HostWork):
            described.append(
                {
                    "host": list(step.operators),
                    "inputs": list(step.inputs),
                    "outputs": list(step.outputs),
                    "model": f"segment-{number}.onnx" if step.model is not None else None,
                    "parameters": dict(step.parameters),
                }
            )
            continue
        entry, program = next(records)
        described.append(
            {
                "entry": entry.name,
                "layers": [steps[layer].name for layer in step.layers],
                "program": entry.program,
                "instructions": entry.instructions,
                "fences": int((_loads(program)["fence"] == 1).sum()),
                "cycles": entry.cycles,
                "inputs": [tensor.name for tensor in step.inputs],
                "outputs": [tensor.name for tensor in step.outputs],
            }
        )
    return {
        "network": work.name,
        "format": ".".join(map(str, FORMAT)),
        "config": dataclasses.asdict(config),
        "memory": dataclasses.asdict(timing),
        "file_bytes": places.file_bytes,
        "memory_bytes": places.memory_bytes,
        "bytes": {
            "tables": places.header_bytes,
            "instructions": sum(map(len, programs)),
            "weights": places.weight_bytes,
            "parameters": places.parameter_bytes,
            "activations": places.activation_bytes,
        },
        "inputs": {name: {"type": str(kind.dtype), "shape": list(kind.shape)} for name, kind in work.inputs.items()},
        "outputs": list(work.outputs),
        "steps": described,
        "layers": [
            {
                "name": layer.layer.name,
                "input": segmentation.taken[number].name,
                "addend": added.name if (added := segmentation.added[number]) else None,
                "output": segmentation.left[number].name,
                "weights": places.weights[number],
                "parameters": places.parameters[number],
                "lookup_tables": places.tables[number] if layer.layer.lookup else None,
                "instructions": layer.length,
                "unfolded": list(layer.unfolding.taps) if layer.unfolding else None,
                "sections": list(layer.cutting.sections) if layer.cutting else None,
            }
            for number, layer in enumerate(compiled)
        ],
        "tensors": [_described(tensor, places.tensors[tensor]) for tensor in segmentation.tensors],
    }


def _loads(program: bytes) -> Any:  # noqa: ANN401 (records)
    words = np.frombuffer(program, record(Load))
    return words[words["opcode"] == Load.opcode]


def _described(tensor: MemoryTensor, offset: int) -> dict[str, Any]:
    made = _tensor_record(tensor, offset)
    return {
        "name": tensor.name,
        "value": tensor.value,
        "shape": list(tensor.type.shape),
        "type": str(tensor.type.dtype),
        "scale": tensor.scale or None,
        "zero_point": made.zero_point,
        "offset": offset,
        "bytes": tensor.layout.bytes,
        "layout": {
            **{name: getattr(tensor.layout, name) for name, _ in TensorLayout.numbers()},
            "channel_map": list(tensor.layout.channel_map),
        },
    }
