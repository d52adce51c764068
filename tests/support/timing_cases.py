"""Random programs on small accelerators and all sorts of memory: the RTL's time and the model's, side by side.

Time does not depend on data, so nothing but the program is put into memory, and it may even be compiled for
smaller buffers than the accelerator has: another plan for the same hardware.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from free_programs import free_program
from layer_cases import (
    SQUARE,
    TINY,
    WIDE,
    random_case,
    random_convolution,
    random_layer,
    random_sum_of_kernels,
    random_winograd_convolution,
    with_combination,
    with_lookup,
    within_a_surface,
)
from sparse_layers import compile_sparse
from sparse_matrices import random_matrix

from wingrid.host.compiler.compile_layer import CompiledLayer, compile_layer
from wingrid.host.compiler.sparse_streams import SparseShape
from wingrid.host.networks.layer import Convolution, Layer, LayerError, Pool, fully_connected, matrix_product
from wingrid.hw.config import INSTRUCTION_BYTES, AcceleratorConfig, ConfigError
from wingrid.hw.encoding import encode_program
from wingrid.hw.isa import Fault, Instruction, Load
from wingrid.hw.registers import Control, Counter, Register, Status, counter_address
from wingrid.sim.memory import Bridge, Dram, MemoryTiming
from wingrid.sim.rtl.simulator import RtlSimulator
from wingrid.sim.timing.equality import difference
from wingrid.sim.timing.model import simulate

NARROW = AcceleratorConfig(
    winograd=4,
    rows=3,
    cols=5,
    bus_bytes=16,
    input_buffer=512,
    weight_buffer=64,
    accumulators=256,
    parameter_blocks=4,
    tables=4,
    sparse=1,
    output_buffer=32,
    burst_beats=2,
    queue_depth=2,
    fetch_ahead=2,
    reads_in_flight=1,
    writes_in_flight=1,
)
BROAD = AcceleratorConfig(
    winograd=2,
    rows=8,
    cols=2,
    bus_bytes=64,
    input_buffer=1024,
    weight_buffer=256,
    accumulators=64,
    parameter_blocks=8,
    output_buffer=128,
    burst_beats=32,
    queue_depth=4,
    fetch_ahead=4,
    reads_in_flight=4,
    writes_in_flight=2,
    address_bits=40,
)
DEEP = AcceleratorConfig(
    winograd=4,
    rows=2,
    cols=2,
    bus_bytes=8,
    input_buffer=1024,
    weight_buffer=256,
    accumulators=1024,
    parameter_blocks=16,
    decoders=1,
    addends=1024,
    output_buffer=256,
    burst_beats=64,
    address_bits=64,
)
# Sizes near and beyond the limits of the configurations that are shipped.
BANKS = AcceleratorConfig(
    winograd=4,
    rows=2,
    cols=2,
    input_buffer=2048,
    weight_buffer=256,
    accumulators=4096,
    parameter_blocks=2,
    output_buffer=64,
    burst_beats=32,
)
TALL = AcceleratorConfig(
    winograd=4,
    rows=20,
    cols=2,
    sparse=1,
    input_buffer=128,
    weight_buffer=400,
    accumulators=1764,
    parameter_blocks=2,
    output_buffer=64,
    burst_beats=32,
    queue_depth=2,
    fetch_ahead=64,
)
BROADSIDE = AcceleratorConfig(
    winograd=2,
    rows=2,
    cols=20,
    input_buffer=256,
    weight_buffer=18,
    accumulators=33,
    parameter_blocks=2,
    output_buffer=16,
    burst_beats=8,
    queue_depth=64,
    fetch_ahead=2,
    reads_in_flight=64,
    writes_in_flight=64,
)
VAST = AcceleratorConfig(
    winograd=4,
    rows=3,
    cols=4,
    input_buffer=1 << 16,
    weight_buffer=40_000,
    accumulators=1 << 15,
    parameter_blocks=512,
    tables=64,
    decoders=1,
    addends=1 << 16,
    output_buffer=1 << 12,
    burst_beats=256,
    reads_in_flight=16,
)
CONFIGS = {"4x4": SQUARE, "2x3": WIDE, "3x2": TINY, "3x5": NARROW, "8x2": BROAD, "2x2": DEEP}
LIMITS = {"2x2 of 4096 sums": BANKS, "20x2": TALL, "2x20": BROADSIDE, "3x4 of vast buffers": VAST}
ALL_CONFIGS = {**CONFIGS, **LIMITS}
MEMORY_BYTES = 1 << 21
LARGE_BANK = 1000
"""Accumulators that more than a small layer fits into."""
PROGRAM = MEMORY_BYTES - (1 << 18)
"""Byte address of the program, above everything that a program loads or stores."""


@dataclass(frozen=True)
class TimingCase:
    """A program for an accelerator, and the memory that it runs on."""

    name: str
    config: AcceleratorConfig
    timing: MemoryTiming
    instructions: list[Instruction]
    about: str
    base: int = 0
    """Of memory on the bus, which takes no part in time."""

    def run(self, seed: int = 1) -> str | None:
        """How model and RTL differ, ``None`` if they don't, in any counter or event.

        Raises ``DataFault`` for a program that is not one.
        """
        code = encode_program(self.instructions)
        counters, events = measure(self.config, code, self.timing, seed, self.base)
        model = simulate(self.config, code, self.timing, program_address=PROGRAM, events=True)
        assert counters[Counter.CYCLES] == sum(counters[counter] for counter in Counter if 1 <= counter <= 8)
        return difference(code, model, counters, events)


class DataFault(Exception):
    """What no compiler makes: layers only put one behind the other that met in an accumulator bank, or sparse streams
    of whatever lies in memory that led a lane out of its window."""


def measure(
    config: AcceleratorConfig,
    code: bytes,
    timing: MemoryTiming,
    seed: int = 1,
    base: int = 0,
    verilog: str | None = None,
) -> tuple[dict[Counter, int], np.ndarray]:
    """Counters of a program's run on the RTL, or on other Verilog in its place, and what the engines did."""
    with RtlSimulator(
        config, memory_bytes=MEMORY_BYTES, base=base, timing=timing, seed=seed, verilog=verilog
    ) as device:
        return measure_on(device, code)


def measure_on(device: RtlSimulator, code: bytes) -> tuple[dict[Counter, int], np.ndarray]:
    """The same on a device that may have run programs before."""
    device.memory[PROGRAM : PROGRAM + len(code)] = np.frombuffer(code, np.uint8)
    device.write_register(Register.INTERRUPT_PENDING, 1)
    device.write_register(Register.INTERRUPT_ENABLE, 1)
    device.write_register(Register.BASE, device.base & 0xFFFF_FFFF)
    device.write_register(Register.BASE_HIGH, device.base >> 32)
    device.write_register(Register.PROGRAM, PROGRAM)
    device.write_register(Register.PROGRAM_LENGTH, len(code) // INSTRUCTION_BYTES)
    device.record_events()
    device.write_register(Register.CONTROL, Control.START)
    device.run_until_interrupt()
    events = device.events()
    if device.read_register(Register.STATUS) != Status.DONE:
        fault = Fault(device.read_register(Register.FAULT))
        if fault in (Fault.BANK_CONFLICT, Fault.ADDRESS_OUT_OF_BUFFER):
            raise DataFault
        raise AssertionError(f"{fault.name} at instruction {device.read_register(Register.FAULT_PC)}")
    return {counter: device.read_register(counter_address(counter)) for counter in Counter}, events


def timing_case(seed: int, name: str | None = None) -> TimingCase:
    """The case of a seed, on a configuration of ``ALL_CONFIGS``."""
    random = np.random.default_rng([seed, 5])
    name = name or str(random.choice(list(ALL_CONFIGS)))
    config = ALL_CONFIGS[name]
    timing = _maybe_bridged(seed, _memory(random, config))
    layers = 1 if random.random() < 0.8 else int(random.integers(2, 4))
    instructions: list[Instruction] = []
    about = []
    while len(about) < layers:
        layer, tiles, smaller = _layer(random, config), _tiles(random, config), _smaller(random, config)
        try:
            compiled = _sparse(random, layer, smaller) or compile_layer(layer, smaller, tiles=tiles)
        except LayerError:
            continue
        if compiled.memory_bytes > PROGRAM or len(compiled.instructions) > 400:
            continue
        # Layers one behind the other, half of them as a network has them: what one leaves can be read by the next.
        if instructions and random.random() < 0.5:
            assert isinstance(compiled.instructions[0], Load)
            compiled.instructions[0].fence = 1
        instructions += compiled.instructions
        about.append(f"{layer} {tiles} {smaller}")
    return TimingCase(name, config, timing, instructions, "; ".join(about), _base(random, config))


def free_case(seed: int, name: str | None = None) -> TimingCase:
    """The same for a program that computes nothing."""
    random = np.random.default_rng([seed, 6])
    name = name or str(random.choice(list(ALL_CONFIGS)))
    config = ALL_CONFIGS[name]
    instructions = free_program(random, config, int(random.integers(1, 60)), PROGRAM)
    timing = _maybe_bridged(seed, _memory(random, config))
    return TimingCase(name, config, timing, instructions, "a free program", _base(random, config))


def _base(random: np.random.Generator, config: AcceleratorConfig) -> int:
    """Any page from which all of memory can be reached."""
    return int(random.integers(0, ((1 << config.address_bits) - MEMORY_BYTES >> 12) + 1)) << 12


def _memory(random: np.random.Generator, config: AcceleratorConfig) -> MemoryTiming:
    bandwidth = int(random.integers(1, config.bus_bytes + 1)) if random.random() < 0.7 else config.bus_bytes
    latency, dram = int(np.exp(random.uniform(0, np.log(201)))), _dram(random)
    write_latency = 1 if random.random() < 0.6 else int(np.exp(random.uniform(0, np.log(51))))
    return MemoryTiming(latency, bandwidth, dram, write_latency)


def _maybe_bridged(seed: int, timing: MemoryTiming) -> MemoryTiming:
    """The memory, or one of the same latencies behind a bridge."""
    random = np.random.default_rng([seed, 7])
    if timing.dram or random.random() < 0.5:
        return timing
    read_beat, write_beat = (int(beat) for beat in random.integers(1, 8, 2))
    return dataclasses.replace(timing, bridge=Bridge(read_beat, write_beat))


def _dram(random: np.random.Generator) -> Dram | None:
    """An ideal memory, or one with rows that are often missed and refreshes that often come."""
    if random.random() < 0.6:
        return None
    interval = int(random.integers(20, 2000))
    return Dram(
        banks=int(random.integers(1, 9)),
        row_bytes=4096 << int(random.integers(0, 3)),
        row_miss=int(random.integers(0, 40)),
        refresh_interval=interval,
        refresh_cycles=int(random.integers(0, interval // 2)),
    )


def _layer(random: np.random.Generator, config: AcceleratorConfig) -> Layer:
    while True:
        kind = random.random()
        shape: Convolution
        if kind < 0.1 and config.winograd:
            shape = random_sum_of_kernels(random)
        elif kind < 0.4 and config.winograd:
            shape = random_winograd_convolution(random)
            if config.accumulators > LARGE_BANK and random.random() < 0.5:
                shape = dataclasses.replace(shape, height=3 * shape.height, width=3 * shape.width, images=1)
        elif kind < 0.85:
            shape = random_convolution(random)
        elif kind < 0.93:
            shape = fully_connected(*(int(size) for size in random.integers(1, (20, 4, 4, 30))))
        else:
            shape = matrix_product(*(int(size) for size in random.integers(1, 25, 3)))
        layer = random_layer(random, shape)
        if random.random() < 0.3:
            pool = Pool(2, 2) if random.random() < 0.5 else Pool(int(random.integers(2, 4)), int(random.integers(1, 4)))
            try:
                layer = dataclasses.replace(layer, pool=pool)
            except LayerError:
                continue
        layer = with_combination(random, with_lookup(random, layer, config), config)
        return within_a_surface(random, layer) if random.random() < 0.2 else layer


def _sparse(random: np.random.Generator, layer: Layer, config: AcceleratorConfig) -> CompiledLayer | None:
    """Half of the layers that sparse lanes can compute, with weights of any density."""
    if SparseShape.of(layer, config) is None or random.random() < 0.5:
        return None
    operands, _ = random_case(random, layer)
    matrix = random_matrix(random, len(operands.weights), operands.weights[0].size)
    operands = dataclasses.replace(operands, weights=matrix.reshape(operands.weights.shape))
    return compile_sparse(layer, operands, config)


def _tiles(random: np.random.Generator, config: AcceleratorConfig) -> tuple[int, ...]:
    return (int(random.choice([*config.tiles, *config.tiles, 0])), 0)


def _smaller(random: np.random.Generator, config: AcceleratorConfig) -> AcceleratorConfig:
    """The accelerator, or one with some smaller buffers."""
    if random.random() < 0.5:
        return config
    sizes = {
        name: getattr(config, name) >> int(random.integers(0, 3))
        for name in ("input_buffer", "weight_buffer", "accumulators", "parameter_blocks")
    }
    try:
        return dataclasses.replace(config, **sizes)
    except ConfigError:
        return config
