"""Work for the DMA, drawn at random, and what each piece of it must do, written down the slow and obvious way."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from amaranth.lib import data

from wingrid.hw.bus.read_master import read_request
from wingrid.hw.config import AXI_PAGE_BYTES, AcceleratorConfig
from wingrid.hw.control.fetch_engine import dispatched
from wingrid.hw.encoding import encode
from wingrid.hw.isa import LARGEST_PIXEL_PITCH, PC_BITS, Buffer, Load, mask
from wingrid.hw.layouts import layout_of
from wingrid.hw.load.operand_buffers import BUFFER_ADDRESS_BITS
from wingrid.hw.store.output_buffer import SEGMENT

SOURCE_BYTES = 32 * AXI_PAGE_BYTES
"""Reads stay below this address, writes between it and ``MEMORY_BYTES``."""
MEMORY_BYTES = 2 * SOURCE_BYTES


def pack_fields(layout: data.StructLayout, values: dict[str, int]) -> int:
    """A word of this layout; every field is unsigned."""
    assert set(values) == {name for name, _ in layout}
    return sum(value % (1 << layout[name].width) << layout[name].offset for name, value in values.items())


def unpack_fields(layout: data.StructLayout, word: int) -> dict[str, int]:
    return {name: word >> field.offset & (1 << field.width) - 1 for name, field in layout}


def bursts(config: AcceleratorConfig, address: int, beats: int) -> list[list[int]]:
    """Beat addresses of the bursts in which a contiguous run travels: as long as AXI and configuration allow."""
    made: list[list[int]] = []
    for place in range(address, address + beats * config.bus_bytes, config.bus_bytes):
        if not made or place % AXI_PAGE_BYTES == 0 or len(made[-1]) == config.burst_beats:
            made.append([])
        made[-1].append(place)
    return made


@dataclass(frozen=True)
class LoadedBeat:
    """A beat of a LOAD: where it lies in memory and in its buffer; ``signal`` is 0 but for the last one."""

    address: int
    buffer: int
    entry: int
    signal: int
    pc: int


def loaded_beats(config: AcceleratorConfig, word: int) -> list[list[LoadedBeat]]:
    """The bursts of an instruction as it is dispatched."""
    fields = unpack_fields(dispatched(Load), word)
    load, pc = unpack_fields(layout_of(Load), fields["instruction"]), fields["pc"]
    sources = [
        burst
        for run in range(load["runs"])
        for burst in bursts(config, (load["source"] + run * load["run_pitch"]) % (1 << 32), load["run_beats"])
    ]
    left = load["runs"] * load["run_beats"]
    made = []
    for burst in sources:
        made.append([])
        for address in burst:
            index = load["runs"] * load["run_beats"] - left
            row, column = divmod(index, load["row_beats"])
            block, row = divmod(row, load["rows"])
            entry = load["destination"] + block * load["block_pitch"] + row * load["row_pitch"] + column
            left -= 1
            signal = 0 if left else load["signal"]
            made[-1].append(LoadedBeat(address, load["buffer"], entry % (1 << BUFFER_ADDRESS_BITS), signal, pc))
    return made


def placed_lines(segment: dict[str, int], results: list[int], bus_bytes: int) -> Iterator[tuple[int, list[int]]]:
    """Address and beats of each line of a segment once its results are there; tile after tile, each in raster order.

    Of pixels that lie apart each is a line.
    """
    between = segment["pixel_pitch"] * bus_bytes
    size = segment["last_offset"] + 1
    pixels = np.array(results, np.uint64).reshape(segment["tiles"], size, size)
    raster = pixels.transpose(1, 0, 2).reshape(size, -1)[: segment["lines"], : segment["columns"]]
    apart = segment["pixel_pitch"] > 1
    for line, beats in enumerate((raster.T if apart else raster).tolist()):
        yield segment["address"] + line * (between if apart else segment["row_pitch"]), beats


def instruction_word(load: Load, pc: int) -> int:
    """As the fetch engine dispatches it."""
    instruction = int.from_bytes(encode(load), "little") % (1 << layout_of(Load).size)
    return pack_fields(dispatched(Load), {"instruction": instruction, "pc": pc})


def random_load(config: AcceleratorConfig, chance: random.Random, longest: int = 60) -> Load:
    """Runs that start near the end of a page, forwards, backwards or on top of each other, into rows of any shape."""
    bus = config.bus_bytes
    run_beats = chance.choice([1, chance.randint(2, 15), config.burst_beats, chance.randint(17, longest)])
    runs = chance.randint(1, 4)
    while True:
        source = chance.randint(1, SOURCE_BYTES // AXI_PAGE_BYTES) * AXI_PAGE_BYTES - bus * chance.randint(0, 24)
        pitch = chance.choice([run_beats * bus, AXI_PAGE_BYTES, bus * chance.randint(-2000, 2000)])
        ends = (source, source + (runs - 1) * pitch)
        if min(ends) >= 0 and max(ends) + run_beats * bus <= SOURCE_BYTES:
            break
    pitches = [chance.choice([chance.randint(0, 100), chance.getrandbits(32)]) for _ in range(2)]
    return Load(
        wait=mask(semaphore for semaphore in sorted(Load.waits) if chance.random() < 0.3),
        signal=mask(semaphore for semaphore in sorted(Load.signals) if chance.random() < 0.5),
        buffer=chance.choice(list(Buffer)).value,
        source=source,
        run_beats=run_beats,
        runs=runs,
        run_pitch=pitch % (1 << 32),
        # A third of them wrap.
        destination=chance.choice([0, chance.getrandbits(BUFFER_ADDRESS_BITS), (1 << BUFFER_ADDRESS_BITS) - 5]),
        row_beats=chance.choice([1, chance.randint(2, 20), run_beats]),
        rows=chance.randint(1, 4),
        row_pitch=pitches[0],
        block_pitch=pitches[1],
    )


def random_fetch(config: AcceleratorConfig, chance: random.Random, base: int) -> int:
    """A request as it comes from the fetch engine, anywhere in a page of memory that lies from ``base`` on."""
    page_beats = AXI_PAGE_BYTES // config.bus_bytes
    beats = chance.randint(1, config.burst_beats)
    beat = chance.randrange(SOURCE_BYTES // AXI_PAGE_BYTES) * page_beats + chance.randint(0, page_beats - beats)
    values = {"address": base + beat * config.bus_bytes, "beats_less_one": beats - 1, "final": chance.randrange(2)}
    return pack_fields(read_request(config), values)


def random_segment(config: AcceleratorConfig, chance: random.Random) -> int:
    """Tiles of 1, 2 or 4 pixels squared, clipped on the right and below, lines near the ends of pages; half the ring.

    Every second one of single pixels has them apart, and one in ten has no line at all. Segments may overlap: the last
    one's bytes stay.
    """
    size = chance.choice([1, 2, 4])
    tiles = chance.randint(1, config.output_buffer // (2 * size * size))
    columns = tiles * size - chance.randrange(size)
    lines = chance.randint(1, size) if chance.random() < 0.9 else 0
    pixel_pitch = 1
    if size == 1 and lines and chance.randrange(2):
        pixel_pitch = chance.randint(2, LARGEST_PIXEL_PITCH)
        columns = tiles = min(tiles, config.burst_beats)
    pitch = config.bus_bytes * chance.randint(columns, columns + 300)
    first, last = SOURCE_BYTES // AXI_PAGE_BYTES, (MEMORY_BYTES - max(size, pixel_pitch) * pitch) // AXI_PAGE_BYTES
    address = chance.randint(first + 1, last) * AXI_PAGE_BYTES - config.bus_bytes * chance.randint(0, 40)
    values = {
        "last_offset": size - 1, "columns": columns, "lines": lines, "beats": columns * lines, "tiles": tiles,
        "address": address, "pixel_pitch": pixel_pitch, "row_pitch": pitch, "pc": chance.getrandbits(PC_BITS),
    }  # fmt: skip
    return pack_fields(SEGMENT, values)
