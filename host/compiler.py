"""Compiles a layer, from its geometry alone, to a program and the memory it works on."""

from __future__ import annotations

from dataclasses import dataclass

from host.layers import Layer, LayerError
from host.lowering import Lowering
from host.memory_map import MemoryMap, Place
from host.plan import Plan
from host.synchronise import synchronise
from host.tiler import best_plan
from hw.config import AcceleratorConfig
from hw.isa import PC_BITS, Instruction, encode_program


@dataclass(frozen=True)
class CompiledLayer:
    """A program for one layer; weights and activations come to it through ``host.layout``."""

    layer: Layer
    config: AcceleratorConfig
    plan: Plan
    memory: MemoryMap
    instructions: list[Instruction]

    @property
    def memory_bytes(self) -> int:
        """Size of the memory that it needs, from address 0."""
        return self.memory.size(len(self.instructions))

    def encoded(self) -> bytes:
        """The program as it lies in memory at ``memory.program``."""
        return encode_program(self.instructions)


def compile_layer(
    layer: Layer,
    config: AcceleratorConfig,
    plan: Plan | None = None,
    *,
    tiles: tuple[int, ...] = (0,),
    place: Place | None = None,
) -> CompiledLayer:
    """Compile by ``plan``, or by the best one with the algorithms that ``tiles`` allows (see ``host.tiler``).

    ``place`` is where in a memory that it shares with others; without one it has a memory to itself.
    Raises ``LayerError`` for a layer that this accelerator or its address space cannot take.
    """
    if plan is None:
        plan = best_plan(layer.shape, config, tiles, layer.pool)
    memory = MemoryMap.of(plan.blocking, config, place)
    schedule = Lowering(layer, plan, memory).emit()
    synchronise(schedule.instructions, schedule.dependencies)
    if len(schedule.instructions) >= 1 << PC_BITS:
        raise LayerError(f"the layer takes {len(schedule.instructions)} instructions, more than a program may have")
    memory.size(len(schedule.instructions))
    return CompiledLayer(layer, config, plan, memory, schedule.instructions)
