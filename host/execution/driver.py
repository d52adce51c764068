"""Runs a compiled layer on a device: loads its memory, starts it through its registers, reads results and counters."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wingrid.host.compiler.compile_layer import CompiledLayer
from wingrid.host.compiler.layout import (
    pack_activations,
    pack_addends,
    pack_parameters,
    pack_tables,
    unpack_activations,
)
from wingrid.host.compiler.memory_map import output_bytes, surface_of
from wingrid.host.execution.measurement import Measurement
from wingrid.host.networks.layer import Operands
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import Fault
from wingrid.hw.registers import (
    AGREEMENTS,
    IDENTITY,
    INTERFACE_VERSION,
    VERSION,
    Agreement,
    Control,
    Counter,
    Register,
    Status,
    counter_address,
    readings,
)
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.rtl.simulator import RtlSimulator


class MachineFault(RuntimeError):
    """The accelerator stopped without finishing its program; the message says why and where."""


@dataclass(frozen=True)
class RtlRun:
    """A layer's run on the simulated hardware."""

    output: npt.NDArray[np.int8]
    """[images, K, OH, OW]"""
    counters: dict[Counter, int]
    events: npt.NDArray[Any]
    """When each engine started and ended each instruction, as ``RtlSimulator.events`` returns it."""
    seconds: float
    """Wall time of the simulation alone."""

    @property
    def measurement(self) -> Measurement:
        """The counters, sorted."""
        return Measurement.from_counters(self.counters)


def fill_memory(
    memory: npt.NDArray[np.uint8],
    compiled: CompiledLayer,
    operands: Operands,
    x: npt.NDArray[np.int8],
    addend: npt.NDArray[np.int8] | None = None,
) -> None:
    """Put program, weights, parameters and the input, int8 [images, C, H, W], where the program expects them.

    So is ``addend``, int8 of ``layer.addend_shape``, of a layer that adds it. Raises ``LayerError`` if sums could leave
    32 bits.
    """
    load_program(memory, compiled, operands)
    load_input(memory, compiled, x)
    if addend is not None:
        content = pack_addends(addend, compiled.config)
        memory[compiled.memory.addends : compiled.memory.addends + len(content)] = content


def load_program(memory: npt.NDArray[np.uint8], compiled: CompiledLayer, operands: Operands) -> None:
    """Put all but the input in its place. Raises ``LayerError`` if sums could leave 32 bits."""
    config, regions = compiled.config, compiled.memory
    operands = compiled.operands(operands)
    for address, content in (
        (regions.weights, compiled.packed_weights(operands)),
        (regions.parameters, pack_parameters(compiled.layer, operands, config)),
        (regions.tables, pack_tables(compiled.layer, operands, config)),
        (regions.program, np.frombuffer(compiled.program, np.uint8)),
    ):
        memory[address : address + len(content)] = content


def load_input(memory: npt.NDArray[np.uint8], compiled: CompiledLayer, x: npt.NDArray[np.int8]) -> None:
    """Put the input, int8 [images, C, H, W], in its place."""
    zero_point = compiled.layer.x_zero_point
    x = compiled.unfolding.pixels(x, zero_point) if compiled.unfolding else x
    x = compiled.cutting.pixels(x, zero_point) if compiled.cutting else x
    content = pack_activations(x, compiled.config, zero_point)
    memory[compiled.memory.inputs : compiled.memory.inputs + len(content)] = content


def read_output(memory: npt.NDArray[np.uint8], compiled: CompiledLayer) -> npt.NDArray[np.int8]:
    """The layer's output from memory, int8 [images, K, OH, OW]."""
    config, blocking, start = compiled.config, compiled.plan.blocking, compiled.memory.outputs
    content = memory[start : start + output_bytes(compiled.layer, blocking, config)]
    if compiled.stacking:
        return unpack_activations(content, compiled.layer.output_shape, config)
    (images, kernels, height, width), surface = blocking.output_shape, surface_of(compiled.layer, blocking)
    y = unpack_activations(content, (images, kernels, surface.height, surface.width), config)
    y = np.ascontiguousarray(y[:, :, :: surface.row_step, :: surface.column_step][:, :, :height, :width])
    return compiled.cutting.joined(y) if compiled.cutting else y


def check_device(device: RtlSimulator, config: AcceleratorConfig) -> None:
    """Raise ``MachineFault`` if programs for an accelerator of that configuration do not fit the device.

    Buffers whose ends programs wrap around at have to be equal, the others large enough. Queues and bursts only take
    time.
    """
    identity = device.read_register(Register.IDENTITY)
    if identity != IDENTITY:
        raise MachineFault(f"the device answers with identity {identity:#x}, not {IDENTITY:#x}: it is no accelerator")
    version = device.read_register(Register.VERSION)
    if not AGREEMENTS[Register.VERSION].holds(VERSION, version):
        major, minor = divmod(version, 1 << 16)
        needed = ".".join(map(str, INTERFACE_VERSION))
        raise MachineFault(f"the device has version {major}.{minor} of the instruction set and registers, not {needed}")
    shape = device.read_register(Register.SHAPE)
    for name, value in (("rows", shape >> 16), ("cols", shape & 0xFFFF)):
        if value != getattr(config, name):
            raise MachineFault(f"the program is for {name} = {getattr(config, name)}, the device has {value}")
    for register, wanted in readings(config).items():
        if register.config_field is None or AGREEMENTS[register] is Agreement.TIME_ONLY:
            continue
        value = device.read_register(register)
        if not AGREEMENTS[register].holds(wanted, value):
            raise MachineFault(f"the program is for {register.config_field} = {wanted}, the device has {value}")


def start(device: RtlSimulator, compiled: CompiledLayer) -> None:
    """Check that the device is what the layer was compiled for, and start the program."""
    start_program(device, compiled.config, compiled.memory.program, compiled.length)


def start_program(device: RtlSimulator, config: AcceleratorConfig, program: int, length: int) -> None:
    """Start ``length`` instructions at place ``program`` of the memory, on a device of what they were made for."""
    check_device(device, config)
    device.write_register(Register.INTERRUPT_ENABLE, 1)
    device.write_register(Register.BASE, device.base & 0xFFFF_FFFF)
    device.write_register(Register.BASE_HIGH, device.base >> 32)
    device.write_register(Register.PROGRAM, program)
    device.write_register(Register.PROGRAM_LENGTH, length)
    device.write_register(Register.CONTROL, Control.START)


def finish(device: RtlSimulator) -> dict[Counter, int]:
    """Acknowledge the interrupt and read the counters; raises ``MachineFault`` if the program did not finish."""
    status = Status(device.read_register(Register.STATUS))
    device.write_register(Register.INTERRUPT_PENDING, 1)
    if status != Status.DONE:
        fault = Fault(device.read_register(Register.FAULT)).name
        raise MachineFault(
            f"the accelerator stopped with {fault} at instruction {device.read_register(Register.FAULT_PC)} "
            f"(status {status!r})"
        )
    values = {}
    for counter in Counter:
        address = counter_address(counter)
        values[counter] = device.read_register(address) | device.read_register(address + 4) << 32
    return values


def run_on_rtl(
    compiled: CompiledLayer,
    operands: Operands,
    x: npt.NDArray[np.int8],
    addend: npt.NDArray[np.int8] | None = None,
    *,
    timing: MemoryTiming | None = None,
    waves: Path | None = None,
    seed: int = 1,
    progress: Callable[[int], None] | None = None,
) -> RtlRun:
    """Run a layer on the Verilated accelerator, from int8 [images, C, H, W], and what it adds if it does.

    ``progress`` hears of the cycles simulated so far.
    Raises ``MachineFault`` or the simulator's errors.
    """
    with RtlSimulator(
        compiled.config, timing=timing, memory_bytes=compiled.memory_bytes, waves=waves, seed=seed
    ) as device:
        fill_memory(device.memory, compiled, operands, x, addend)
        return run_program(device, compiled, progress)


def run_program(device: RtlSimulator, compiled: CompiledLayer, progress: Callable[[int], None] | None = None) -> RtlRun:
    """Run a layer that is in the device's memory. Raises ``MachineFault`` or the simulator's errors."""
    device.record_events()
    start(device, compiled)
    began = time.perf_counter()
    device.run_until_interrupt(progress)
    seconds = time.perf_counter() - began
    # Steps count from the last write to a register, so they are read before the interrupt is acknowledged.
    events = device.events()
    counters = finish(device)
    return RtlRun(read_output(device.memory, compiled), counters, events, seconds)
