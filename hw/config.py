"""The one configuration that RTL, simulators, compiler and reports all take."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wingrid.hw.winograd_matrices import POINTS, element_bits, winograd

INSTRUCTION_BYTES = 64
"""Size of an instruction in memory; also the widest bus, since an instruction is fetched in whole beats."""

OFFSET_BITS = 32
"""Width of the byte offsets from BASE in instructions and registers: a program reaches 4 GiB."""

LARGEST_QUEUE = 64
"""Most instructions that an engine's queue can hold."""

LARGEST_TABLES = 1 << 12
"""Most tables that an accelerator can hold."""

LARGEST_ADDENDS = 1 << 16
"""Most entries of an addend buffer."""

TABLE_ENTRIES = 256
"""Entries of a table: one for each value of a byte."""

AXI_PAGE_BYTES = 4096
"""No AXI burst crosses a boundary of this many bytes (AMBA AXI4, A3.4.1)."""


AXI_BURST_BEATS = 256
"""Most beats of an AXI burst (AMBA AXI4, A3.4.1)."""


class ConfigError(ValueError):
    """A configuration that cannot work; the message names field, value and rule."""


WHOLE_MEMORIES = frozenset({"accumulators 0", "accumulators 1", "transformed"})
"""Of ``AcceleratorConfig.block_memories`` those that are one memory each, however shallow."""


@dataclass(frozen=True)
class AcceleratorConfig:
    """Everything that shapes an accelerator. Buffer sizes are in entries, not bytes.

    An entry of the input buffer is one pixel of one channel block (``rows`` int8 lanes), one of the weight buffer a
    row of a weight tile (``cols`` int8), one of an accumulator bank ``cols`` accumulators, one of the output buffer
    a bus beat. ``parameter_blocks`` counts output channel blocks, ``tables`` tables of a byte for each column,
    behind requantisation; 0 for an accelerator without. With ``sparse`` 1 there are lanes for sparse fully connected
    layers, one for each row of the array. ``decoders`` counts lanes that decode compressed weights on their way to the
    Winograd transform, each for 2 or 4 columns; 0 for an accelerator that takes weights as they are. ``addends`` counts
    pixels of another tensor, ``cols`` int8 each, that results are combined with; 0 for an accelerator that does not
    combine. ``bus_bytes`` 0 stands for the smallest bus that carries a channel block per beat. ``address_bits`` is the
    width of an AXI byte address.
    """

    rows: int = 16
    cols: int = 16
    winograd: int = 4
    bus_bytes: int = 0
    input_buffer: int = 16384
    weight_buffer: int = 4704
    accumulators: int = 900
    parameter_blocks: int = 32
    tables: int = 0
    sparse: int = 0
    decoders: int = 0
    addends: int = 0
    output_buffer: int = 256
    queue_depth: int = 8
    fetch_ahead: int = 16
    burst_beats: int = 128
    reads_in_flight: int = 8
    writes_in_flight: int = 8
    address_bits: int = OFFSET_BITS

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if type(value) is not int:
                self._refuse(field.name, "must be a whole number")
        if self.bus_bytes == 0:
            object.__setattr__(self, "bus_bytes", smallest_bus(self.rows, self.cols))
        if self.burst_beats <= AXI_BURST_BEATS:
            object.__setattr__(self, "burst_beats", min(self.burst_beats, longest_burst(self.bus_bytes)))
        for name, holds, rule in rules(self):
            if not holds:
                self._refuse(name, rule)

    def _refuse(self, name: str, rule: str) -> None:
        raise ConfigError(f"configuration field {name} = {getattr(self, name)!r} {rule}")

    @property
    def tiles(self) -> tuple[int, ...]:
        """The Winograd tiles that the accelerator can run, smallest first."""
        return tuple(tile for tile in POINTS if tile <= self.winograd)

    @property
    def tile_bits(self) -> int:
        """Bits that tell a legal instruction's tile, 0 among them; the others of its field are zero."""
        return max((0, *self.tiles)).bit_length()

    def segment_tiles(self, tile: int) -> int:
        """Neighbouring tiles (pixels, for tile 0) that the store engine drains in one go.

        One burst of pixels, or as many tiles as let two segments share the output buffer.
        """
        return self.output_buffer // (2 * tile * tile) if tile else self.burst_beats

    @property
    def activation_bits(self) -> int:
        """Signed width of a vector lane entering the mesh."""
        return element_bits(self.winograd)[0]

    @property
    def weight_bits(self) -> int:
        """Signed width of a weight held in a processing element."""
        return element_bits(self.winograd)[1]

    @property
    def accumulator_bits(self) -> int:
        """Signed width of partial sums and accumulators; sums are taken modulo two to this power."""
        return element_bits(self.winograd)[2]

    @property
    def parameter_entries(self) -> int:
        """Beats that the parameter buffer holds: eight byte planes a block (``wingrid.hw.isa.PARAMETER_FIELDS``)."""
        return self.parameter_blocks * 8

    @property
    def table_entries(self) -> int:
        """Bytes that all tables of a column hold."""
        return self.tables * TABLE_ENTRIES

    @property
    def weight_lanes(self) -> int:
        """Bytes of an entry of the weight buffer: one for each column, and for each sparse lane."""
        return max(self.rows, self.cols) if self.sparse else self.cols

    @property
    def decoder_columns(self) -> int:
        """Columns that a decoder has, and so symbols that it decodes for each row; 0 without decoders."""
        return self.cols // self.decoders if self.decoders else 0

    @property
    def code_symbols(self) -> int:
        """Symbols in a beat of a code's tables."""
        return min(8, self.bus_bytes // 2)

    @property
    def code_entries(self) -> int:
        """Beats of a code's tables (``docs/isa.md``)."""
        return TABLE_ENTRIES // self.code_symbols if self.decoders else 0

    @property
    def multipliers(self) -> int:
        return self.rows * self.cols

    @property
    def block_memories(self) -> dict[str, tuple[int, int]]:
        """Depth and width in bits of each buffer of the datapath: block memories, with one write and one read port.

        All but ``WHOLE_MEMORIES`` are cut into slices where they are shallow (``BlockMemory``).
        """
        memories = {
            # Each sparse lane reads another entry.
            **(
                {f"inputs {lane}": (self.input_buffer, 8) for lane in range(self.rows)}
                if self.sparse
                else {"inputs": (self.input_buffer, 8 * self.rows)}
            ),
            "weights": (self.weight_buffer, 8 * self.weight_lanes),
            "parameters": (self.parameter_entries, 8 * self.cols),
            "accumulators 0": (self.accumulators, self.cols * self.accumulator_bits),
            "accumulators 1": (self.accumulators, self.cols * self.accumulator_bits),
            "outputs": (self.output_buffer, 8 * self.bus_bytes),
        }
        if self.tables:
            # Each column looks up another entry.
            memories |= {f"table {column}": (self.table_entries, 8) for column in range(self.cols)}
        if self.addends:
            memories["addends"] = (self.addends, 8 * self.cols)
        if self.winograd:
            memories["transformed"] = (2 * self.accumulators, self.rows * self.activation_bits)
        return memories

    @property
    def on_chip_bytes(self) -> int:
        """All buffers of the datapath together, rounded up to whole bytes."""
        return -(-sum(depth * width for depth, width in self.block_memories.values()) // 8)

    def as_dict(self) -> dict[str, int]:
        """The fields, followed by the two derived sizes that reports show."""
        return {
            **dataclasses.asdict(self),
            "multipliers": self.multipliers,
            "on_chip_bytes": self.on_chip_bytes,
        }

    def override(self, settings: Iterable[str]) -> AcceleratorConfig:
        """Apply ``field=value`` texts, later ones winning."""
        values: dict[str, Any] = {}
        for setting in settings:
            name, separator, text = setting.partition("=")
            if not separator:
                raise ConfigError(f"setting {setting!r} must have the form field=value")
            try:
                values[name.strip()] = int(text, 0)
            except ValueError:
                raise ConfigError(f"configuration field {name.strip()} = {text!r} must be a whole number") from None
        return _build({**self._given(), **values}, "the settings")

    def _given(self) -> dict[str, Any]:
        """The fields without those that merely hold their derived default, so that they follow a change."""
        values = dataclasses.asdict(self)
        if self.bus_bytes == smallest_bus(self.rows, self.cols):
            del values["bus_bytes"]
        return values

    @classmethod
    def load(cls, path: str | Path) -> AcceleratorConfig:
        """Read a TOML file of ``field = value`` lines."""
        try:
            with open(path, "rb") as file:
                values = tomllib.load(file)
        except OSError as error:
            raise ConfigError(f"cannot read configuration {path}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"configuration {path} is not valid TOML: {error}") from None
        return _build(values, str(path))


def smallest_bus(rows: int, cols: int) -> int:
    """Bytes of the smallest bus that carries a channel block per beat."""
    return 1 << (max(rows, cols, 4) - 1).bit_length()


def longest_burst(bus_bytes: int) -> int:
    """Beats of the longest burst that an AXI page holds."""
    return AXI_PAGE_BYTES // max(bus_bytes, 1)


def rules(config: Any) -> Iterator[tuple[str, Any, str]]:  # noqa: ANN401 (fields may be arrays)
    """What holds of each configuration that can work: a field, whether its value is one, and the rule in words.

    ``config`` has the fields of ``AcceleratorConfig``. Those but ``winograd``, ``tables``, ``sparse``, ``decoders``
    and ``addends`` may be numpy arrays, of many configurations at once; then so is whether the rules hold.
    """

    def between(name: str, low: int, high: int) -> tuple[str, Any, str]:
        value = getattr(config, name)
        return name, (low <= value) & (value <= high), f"must lie between {low} and {high}"

    def power_of_two(name: str, low: int, high: int) -> tuple[str, Any, str]:
        value = getattr(config, name)
        holds = (low <= value) & (value <= high) & ((value & (value - 1)) == 0)
        return name, holds, f"must be a power of two between {low} and {high}"

    yield between("rows", 2, 64)
    yield between("cols", 2, 64)
    tiles = (0, *POINTS)
    yield "winograd", config.winograd in tiles, f"must be one of {', '.join(map(str, tiles))}"
    yield power_of_two("bus_bytes", 4, INSTRUCTION_BYTES)
    carried = (config.bus_bytes >= config.rows) & (config.bus_bytes >= config.cols)
    yield "bus_bytes", carried, "must be at least rows and cols: a beat carries a channel block"
    yield power_of_two("input_buffer", 16, 1 << 20)
    yield between("weight_buffer", 16, 1 << 20)
    yield between("accumulators", 4, 1 << 15)
    yield power_of_two("parameter_blocks", 2, 1 << 12)
    if config.tables:
        yield power_of_two("tables", 2, LARGEST_TABLES)
    yield between("sparse", 0, 1)
    if config.decoders:
        columns = (config.cols == 2 * config.decoders) | (config.cols == 4 * config.decoders)
        yield "decoders", columns, "must be a half or a quarter of cols"
        yield "decoders", config.winograd != 0, "needs a Winograd transform, winograd = 2 or 4"
    if config.addends:
        yield power_of_two("addends", 16, LARGEST_ADDENDS)
    yield power_of_two("output_buffer", 16, 1 << 14)
    yield power_of_two("queue_depth", 2, LARGEST_QUEUE)
    yield power_of_two("fetch_ahead", 2, 64)
    yield power_of_two("burst_beats", 1, AXI_BURST_BEATS)
    yield power_of_two("reads_in_flight", 1, 64)
    yield power_of_two("writes_in_flight", 1, 64)
    yield between("address_bits", OFFSET_BITS, 64)
    two_tiles = config.weight_buffer >= 2 * config.rows
    yield "weight_buffer", two_tiles, "must hold two weight tiles, that is 2 * rows entries"
    if config.winograd:
        positions, pixels = winograd(config.winograd).patch ** 2, config.winograd**2
        yield "accumulators", config.accumulators >= 2 * positions, "must hold two Winograd tiles of n * n positions"
        if config.addends:
            rule = "must hold two Winograd tiles of n * n positions, so that groups of them fit"
            yield "addends", config.addends >= 2 * positions, rule
        held = config.output_buffer >= 2 * pixels
        yield "output_buffer", held, "must hold two Winograd tiles, that is 2 * winograd**2 entries"
    two_bursts = config.output_buffer >= 2 * config.burst_beats
    yield "output_buffer", two_bursts, "must hold two bursts, that is 2 * burst_beats entries"


def _build(values: dict[str, Any], origin: str) -> AcceleratorConfig:
    known = {field.name for field in dataclasses.fields(AcceleratorConfig)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(
            f"unknown configuration field {', '.join(unknown)} in {origin}; known are {', '.join(sorted(known))}"
        )
    return AcceleratorConfig(**values)
