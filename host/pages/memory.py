"""Where things lie in external memory, and from which layer to which they are needed there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wingrid.host.compiler.compile_layer import CompiledLayer
from wingrid.host.compiler.memory_map import MemoryMap, Place, activation_bytes, parameter_bytes, table_bytes
from wingrid.host.execution.network_chain import chain_places, chain_tensors
from wingrid.host.execution.network_result import TensorMemory, TensorPlace
from wingrid.host.pages.document import Figure
from wingrid.host.pages.figures import layout
from wingrid.hw.config import INSTRUCTION_BYTES

INPUT = "input"
"""The tensor that a chain of layers begins with."""

ACTIVATIONS = "activations"
"""The kind of what layers leave to each other."""


@dataclass(frozen=True)
class Stretch(TensorPlace):
    """A run of bytes that holds a tensor or something else for a while."""

    kind: str
    """``activations``, ``weights`` and so on."""


def chained(compiled: Sequence[CompiledLayer]) -> list[Stretch]:
    """Layers that follow each other in one memory, as a run with one job has them."""
    config, plans = compiled[0].config, [layer.plan for layer in compiled]
    places = chain_places(plans, config)
    names = [INPUT, *(layer.layer.name for layer in compiled)]
    starts = [places[0].inputs, *(place.outputs for place in places)]
    found = [
        Stretch(
            f"{name}'s output" if index else name,
            start,
            size,
            max(0, index - 1),
            min(index, len(plans) - 1),
            ACTIVATIONS,
        )
        for index, (name, start, size) in enumerate(zip(names, starts, chain_tensors(plans, config), strict=True))
    ]
    for index, (layer, place) in enumerate(zip(compiled, places, strict=True)):
        found += _working_set(layer, _memory_at(layer, place), index)
    return found


def placed(compiled: Sequence[CompiledLayer], memory: TensorMemory) -> list[Stretch]:
    """Layers in one memory, with tensors where their lifetimes leave room and all else above them."""
    found = [Stretch(**vars(tensor), kind=ACTIVATIONS) for tensor in memory.tensors]
    for index, layer in enumerate(compiled):
        found += _working_set(layer, _memory_at(layer, Place(0, 0, memory.peak)), index)
    return found


def alone(compiled: Sequence[CompiledLayer]) -> list[Stretch]:
    """Layers that each have a memory of their own, or the places that they were compiled for."""
    found: list[Stretch] = []
    for index, layer in enumerate(compiled):
        blocking, config, memory = layer.plan.blocking, layer.config, layer.memory
        for kind, start, shape, lanes in (
            ("inputs", memory.inputs, blocking.input_shape, config.rows),
            ("outputs", memory.outputs, blocking.output_shape, config.cols),
        ):
            size = activation_bytes(shape, lanes, config)
            found.append(Stretch(f"{layer.layer.name}'s {kind}", start, size, index, index, ACTIVATIONS))
        found += _working_set(layer, memory, index)
    return found


def _memory_at(layer: CompiledLayer, place: Place) -> MemoryMap:
    return MemoryMap.of(layer.layer, layer.plan.blocking, layer.config, place, stream_bytes=layer.weight_bytes)


def _working_set(layer: CompiledLayer, memory: MemoryMap, index: int) -> Iterator[Stretch]:
    blocking, config, name = layer.plan.blocking, layer.config, layer.layer.name
    for kind, start, size in (
        ("weights", memory.weights, layer.weight_bytes),
        ("parameters", memory.parameters, parameter_bytes(blocking, config)),
        ("tables", memory.tables, table_bytes(layer.layer, blocking, config)),
        ("program", memory.program, layer.length * INSTRUCTION_BYTES),
    ):
        if size:
            yield Stretch(f"{name}'s {kind}", start, size, index, index, kind)


def memory_map(stretches: Sequence[Stretch], layers: Sequence[str]) -> Figure:
    """Addresses upwards, layers from left to right: a box for each stretch."""
    data = []
    for kind in dict.fromkeys(stretch.kind for stretch in stretches):
        of_kind = [stretch for stretch in stretches if stretch.kind == kind]
        data.append(
            {
                "type": "bar",
                "x": [(stretch.first + stretch.last) / 2 for stretch in of_kind],
                "width": [stretch.last - stretch.first + 0.9 for stretch in of_kind],
                "base": [stretch.start for stretch in of_kind],
                "y": [stretch.bytes for stretch in of_kind],
                "customdata": [f"{stretch.name}<br>{stretch.start:#010x}" for stretch in of_kind],
                "name": kind,
                "opacity": 0.8,
                "hovertemplate": "%{customdata}, %{y:,} bytes<extra></extra>",
            }
        )
    axes = {
        "barmode": "overlay",
        "xaxis": {"tickvals": list(range(len(layers))), "ticktext": list(layers), "automargin": True},
        "yaxis": {"title": {"text": "byte address"}, "automargin": True},
    }
    return {"data": data, "layout": layout(420, **axes)}
