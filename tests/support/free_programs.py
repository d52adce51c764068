"""Random programs that compute nothing: instructions of all kinds in any order, and semaphores without deadlock."""

from __future__ import annotations

from collections import Counter

import numpy as np

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import (
    LARGEST_PIXEL_PITCH,
    SPARSE_FORMATS,
    Buffer,
    Execute,
    Instruction,
    Load,
    Semaphore,
    Store,
    mask,
)
from wingrid.hw.winograd_matrices import winograd

EXECUTE_BANK, STORE_BANK = 0, 1
"""Different ones, so that no bank is drained while sums come in."""

MOST_BEATS = 200
"""Of a LOAD."""

MOST_SUMS = 4096
"""Of an EXECUTE: patches enough for the transform buffer's halves to change hands before they are empty."""


def free_program(random: np.random.Generator, config: AcceleratorConfig, length: int, room: int) -> list[Instruction]:
    """``length`` legal instructions that load and store below byte ``room``.

    Each waits only for what instructions before it have signalled and nobody has taken, so that they could run one
    after the other.
    """
    signalled: Counter[Semaphore] = Counter()
    kinds = random.dirichlet([1, 1, 1])
    program: list[Instruction] = []
    for _ in range(length):
        instruction = (_load, _execute, _store)[int(random.choice(3, p=kinds))](random, config, room)
        waits = [semaphore for semaphore in sorted(instruction.waits) if signalled[semaphore] and random.random() < 0.7]
        signals = [semaphore for semaphore in sorted(instruction.signals) if random.random() < 0.5]
        signals = [semaphore for semaphore in signals if signalled[semaphore] < 100]
        signalled.subtract(waits)
        signalled.update(signals)
        instruction.wait, instruction.signal = mask(waits), mask(signals)
        program.append(instruction)
    return program


def _load(random: np.random.Generator, config: AcceleratorConfig, room: int) -> Load:
    run_beats = _size(random, MOST_BEATS)
    runs = _size(random, MOST_BEATS // run_beats)
    pitch = int(random.integers(0, 2 * run_beats + 1)) * config.bus_bytes
    source = int(random.integers(0, room - runs * (pitch + run_beats * config.bus_bytes)))
    return Load(
        buffer=int(random.choice(_buffers(config))),
        source=source // config.bus_bytes * config.bus_bytes,
        run_beats=run_beats,
        runs=runs,
        run_pitch=pitch,
        row_beats=runs * run_beats,
        fence=int(random.random() < 0.2),
    )


def _execute(random: np.random.Generator, config: AcceleratorConfig, room: int) -> Execute:
    if config.sparse and random.random() < 0.4:
        return _sparse(random, config)
    tile = int(random.choice([0, *config.tiles]))
    sums = winograd(tile).patch ** 2 if tile else 1
    count = _size(random, min(config.accumulators // sums, MOST_SUMS // sums))
    height, width = (winograd(tile).patch,) * 2 if tile else (_size(random, 4), _size(random, 4))
    return Execute(
        bank=EXECUTE_BANK,
        tile=tile,
        kernel_height=height,
        kernel_width=width,
        count=count,
        blocks=_size(random, 6),
        last=5,
        # Its codes, and the tables of them, are whatever the buffers hold.
        coded=int(random.integers(2)) if tile and config.decoders else 0,
    )


def _sparse(random: np.random.Generator, config: AcceleratorConfig) -> Execute:
    """Its streams are whatever the weight buffer holds."""
    return Execute(
        bank=EXECUTE_BANK,
        accumulate=int(random.integers(2)),
        count=_size(random, config.accumulators),
        blocks=_size(random, 200),
        sparse=int(random.choice(SPARSE_FORMATS)),
    )


def _store(random: np.random.Generator, config: AcceleratorConfig, room: int) -> Store:
    tile = int(random.choice([0, *config.tiles]))
    sums = winograd(tile).patch ** 2 if tile else 1
    pool = int(random.choice([0, 0, 2])) if tile else int(random.choice([0, 0, 2, 3]))
    side = 1 if not tile else tile // 2 if pool else tile
    count = _size(random, min(config.accumulators // sums, 100))
    width = _size(random, 60)
    first = 0 if pool and not tile else int(random.integers(0, width)) // side * side
    lines = _size(random, side * (count + 2))
    pixel_pitch = 0 if tile or random.random() < 0.6 else int(random.integers(2, LARGEST_PIXEL_PITCH + 1))
    pitch = width + int(random.integers(0, 20))
    last = (side * count + lines + side) * pitch + width * (pixel_pitch or 1)
    return Store(
        bank=STORE_BANK,
        tile=tile,
        count=count,
        parameter_block=int(random.integers(0, config.parameter_blocks)),
        first=first,
        width=width,
        lines=lines,
        destination=int(random.integers(0, room // config.bus_bytes - last)) * config.bus_bytes,
        row_pitch=pitch * config.bus_bytes,
        pool=pool,
        pool_stride=2 if pool else 0,
        table=int(random.integers(0, config.tables + 1)),
        combination=int(random.integers(0, 3)) if config.addends else 0,
        broadcast=int(random.integers(0, 2)),
        addend_base=int(random.integers(0, config.addends)) if config.addends else 0,
        pixel_pitch=pixel_pitch,
    )


def _buffers(config: AcceleratorConfig) -> list[Buffer]:
    """Those that the accelerator has."""
    optional = {Buffer.TABLES: config.tables, Buffer.ADDENDS: config.addends, Buffer.CODES: config.decoders}
    return [buffer for buffer in Buffer if optional.get(buffer, 1)]


def _size(random: np.random.Generator, most: int) -> int:
    """From 1 to ``most``, small ones as likely as large ones."""
    return int(np.exp(random.uniform(0, np.log(max(1, most) + 1))))
