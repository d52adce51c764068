"""The register map behind the AXI4-Lite slave: addresses, fields and counters, for RTL, host and documents alike."""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass
from typing import Any

from wingrid.hw.config import AXI_PAGE_BYTES, AcceleratorConfig

REGISTER_ADDRESS_BITS = 9
"""Width of an AXI4-Lite byte address."""

IDENTITY = 0x5752_4E47
"""What ``Register.IDENTITY`` reads as: the letters WRNG."""

INTERFACE_VERSION = 1, 7
"""Major and minor version of the instruction set and of this map. What is added counts in the minor one; what is
changed or taken away in the major one."""

VERSION = INTERFACE_VERSION[0] << 16 | INTERFACE_VERSION[1]
"""What ``Register.VERSION`` reads as."""


class Register(enum.IntEnum):
    """Byte addresses of the 32-bit registers; ``FIELDS`` says what is in them."""

    IDENTITY = 0x00
    SHAPE = 0x04
    CONTROL = 0x08
    STATUS = 0x0C
    INTERRUPT_ENABLE = 0x10
    INTERRUPT_PENDING = 0x14
    FAULT = 0x18
    FAULT_PC = 0x1C
    PROGRAM = 0x20
    PROGRAM_LENGTH = 0x24
    VERSION = 0x28
    BASE = 0x2C
    BASE_HIGH = 0x30
    CONFIG_WINOGRAD = 0xC0
    CONFIG_BUS_BYTES = 0xC4
    CONFIG_INPUT_BUFFER = 0xC8
    CONFIG_WEIGHT_BUFFER = 0xCC
    CONFIG_ACCUMULATORS = 0xD0
    CONFIG_PARAMETER_BLOCKS = 0xD4
    CONFIG_OUTPUT_BUFFER = 0xD8
    CONFIG_QUEUE_DEPTH = 0xDC
    CONFIG_FETCH_AHEAD = 0xE0
    CONFIG_BURST_BEATS = 0xE4
    CONFIG_READS_IN_FLIGHT = 0xE8
    CONFIG_WRITES_IN_FLIGHT = 0xEC
    CONFIG_ADDRESS_BITS = 0xF0
    CONFIG_TABLES = 0xF4
    CONFIG_SPARSE = 0xF8
    CONFIG_ADDENDS = 0xFC
    CONFIG_DECODERS = 0x100

    @property
    def config_field(self) -> str | None:
        """The field of ``AcceleratorConfig`` that the register holds, of those that hold one."""
        prefix = "CONFIG_"
        return self.name.removeprefix(prefix).lower() if self.name.startswith(prefix) else None


class Control(enum.IntFlag):
    """Bits that act when written as one to ``Register.CONTROL``."""

    START = 1
    RESET = 2
    """Abandon the program; taken as soon as no bus transaction is in flight."""


class Status(enum.IntFlag):
    """Bits of ``Register.STATUS``."""

    RUNNING = 1
    DONE = 2
    FAULT = 4
    RESETTING = 8


class Counter(enum.IntEnum):
    """64-bit counters, cleared by START; counter i reads at ``COUNTER_BASE + 8*i``, low word first.

    A read of the low word keeps the high one for the next read of a high word, so that the two belong together.
    CYCLES is exactly BUSY plus all STALL_*. Byte counters count whole beats of the bus.
    """

    CYCLES = 0
    BUSY = 1
    STALL_INSTRUCTIONS = 2
    STALL_WEIGHTS = 3
    STALL_INPUTS = 4
    STALL_ACCUMULATORS = 5
    STALL_TRANSFORM = 6
    STALL_PIPELINE = 7
    STALL_DRAIN = 8
    BYTES_INSTRUCTIONS = 9
    BYTES_WEIGHTS = 10
    BYTES_ACTIVATIONS = 11
    BYTES_PARAMETERS = 12
    BYTES_RESULTS = 13


COUNTER_BASE = 0x40

assert COUNTER_BASE + 8 * len(Counter) <= Register.CONFIG_WINOGRAD
assert max(Register) < 1 << REGISTER_ADDRESS_BITS


def counter_address(counter: Counter) -> int:
    """Byte address of the counter's low word; the high word follows."""
    return COUNTER_BASE + 8 * counter


class Access(enum.Enum):
    """What the host can do with a field. A write that changes nothing but fields of other kinds is refused."""

    READ = "read"
    WRITE = "write"
    """Acts when one is written, reads as zero."""
    BOTH = "both"
    CLEAR = "both, write one to clear"


@dataclass(frozen=True)
class Field:
    """Bits ``low`` to ``low + width - 1`` of a register; the others read as zero."""

    name: str
    low: int
    width: int
    access: Access
    meaning: str


PROGRAM_ALIGNMENT_BITS = 6
"""Low bits of PROGRAM that are always zero: an instruction lies at a multiple of its 64 bytes."""
PROGRAM_LENGTH_BITS = 24
BASE_ALIGNMENT_BITS = (AXI_PAGE_BYTES - 1).bit_length()
"""Low bits of BASE that are always zero, so that a burst lies in its page wherever the program lies."""


def _word(name: str, meaning: str, access: Access = Access.READ) -> tuple[Field, ...]:
    return (Field(name, 0, 32, access, meaning),)


FIELDS: dict[Register, tuple[Field, ...]] = {
    Register.IDENTITY: _word("identity", "the letters WRNG"),
    Register.SHAPE: (
        Field("cols", 0, 16, Access.READ, "columns of the array"),
        Field("rows", 16, 16, Access.READ, "rows of the array"),
    ),
    Register.CONTROL: (
        Field("start", 0, 1, Access.WRITE, "starts the program, unless running, faulty or resetting"),
        Field("reset", 1, 1, Access.WRITE, "abandons the program once no bus transaction is in flight"),
    ),
    Register.STATUS: tuple(
        Field(bit.name.lower(), bit.bit_length() - 1, 1, Access.READ, meaning)
        for bit, meaning in (
            (Status.RUNNING, "a program runs"),
            (Status.DONE, "the last program ended without fault"),
            (Status.FAULT, "a fault stands, until reset"),
            (Status.RESETTING, "a reset waits for the bus"),
        )
        if bit.name
    ),
    Register.INTERRUPT_ENABLE: (Field("enable", 0, 1, Access.BOTH, "the interrupt is high while it is pending"),),
    Register.INTERRUPT_PENDING: (Field("pending", 0, 1, Access.CLEAR, "the machine stopped by itself"),),
    Register.FAULT: (Field("code", 0, 3, Access.READ, "what went wrong, 0 for nothing"),),
    Register.FAULT_PC: (
        Field("instruction", 0, PROGRAM_LENGTH_BITS, Access.READ, "index of the instruction at fault"),
    ),
    Register.PROGRAM: (
        Field(
            "line",
            PROGRAM_ALIGNMENT_BITS,
            32 - PROGRAM_ALIGNMENT_BITS,
            Access.BOTH,
            "offset of the first instruction from BASE",
        ),
    ),
    Register.PROGRAM_LENGTH: (
        Field("length", 0, PROGRAM_LENGTH_BITS, Access.BOTH, "number of instructions; 0 is done at once"),
    ),
    Register.VERSION: (
        Field("minor", 0, 16, Access.READ, "grows with what is added to instructions and registers"),
        Field("major", 16, 16, Access.READ, "grows with what is changed in them"),
    ),
    Register.BASE: (
        Field(
            "page",
            BASE_ALIGNMENT_BITS,
            32 - BASE_ALIGNMENT_BITS,
            Access.BOTH,
            "address on the bus that all offsets of a program count from",
        ),
    ),
    Register.BASE_HIGH: _word("base_high", "bits 63..32 of BASE, zero beyond the width of addresses", Access.BOTH),
    **{
        register: _word(register.config_field, f"the configuration's {register.config_field}")
        for register in Register
        if register.config_field
    },
}


class Agreement(enum.IntEnum):
    """How a register of constants must agree with what a program was made for."""

    EQUAL = 0
    """Programs wrap around at the ends of buffers, and count beats of the bus."""
    AT_LEAST = 1
    VERSION = 2
    """The same major version, and a minor one of at least as much."""
    TIME_ONLY = 3
    """Any value serves; with another one a program may take another time."""

    def holds(self, wanted: int, value: int) -> bool:
        """Whether a register that reads as ``value`` will do where ``wanted`` was expected."""
        same = {
            Agreement.EQUAL: value == wanted,
            Agreement.AT_LEAST: value >= wanted,
            Agreement.VERSION: value >> 16 == wanted >> 16 and value >= wanted,
            Agreement.TIME_ONLY: True,
        }
        return same[self]


AGREEMENTS: dict[Register, Agreement] = {
    Register.IDENTITY: Agreement.EQUAL,
    Register.SHAPE: Agreement.EQUAL,
    Register.VERSION: Agreement.VERSION,
    Register.CONFIG_WINOGRAD: Agreement.AT_LEAST,
    Register.CONFIG_BUS_BYTES: Agreement.EQUAL,
    Register.CONFIG_INPUT_BUFFER: Agreement.EQUAL,
    Register.CONFIG_WEIGHT_BUFFER: Agreement.EQUAL,
    Register.CONFIG_ACCUMULATORS: Agreement.AT_LEAST,
    Register.CONFIG_PARAMETER_BLOCKS: Agreement.EQUAL,
    Register.CONFIG_OUTPUT_BUFFER: Agreement.TIME_ONLY,
    Register.CONFIG_QUEUE_DEPTH: Agreement.TIME_ONLY,
    Register.CONFIG_FETCH_AHEAD: Agreement.TIME_ONLY,
    Register.CONFIG_BURST_BEATS: Agreement.TIME_ONLY,
    Register.CONFIG_READS_IN_FLIGHT: Agreement.TIME_ONLY,
    Register.CONFIG_WRITES_IN_FLIGHT: Agreement.TIME_ONLY,
    Register.CONFIG_ADDRESS_BITS: Agreement.TIME_ONLY,
    Register.CONFIG_TABLES: Agreement.EQUAL,
    Register.CONFIG_SPARSE: Agreement.AT_LEAST,
    Register.CONFIG_ADDENDS: Agreement.EQUAL,
    Register.CONFIG_DECODERS: Agreement.EQUAL,
}
"""For each register of constants."""


def readings(config: AcceleratorConfig) -> dict[Register, int]:
    """What the registers of constants read as on an accelerator of that configuration."""
    return {
        Register.IDENTITY: IDENTITY,
        Register.SHAPE: config.rows << 16 | config.cols,
        Register.VERSION: VERSION,
        **{register: getattr(config, register.config_field) for register in Register if register.config_field},
    }


def register_map() -> list[dict[str, Any]]:
    """All registers and counters, ready for JSON."""
    registers: list[dict[str, Any]] = [
        {
            "name": register.name,
            "address": register.value,
            "bits": 32,
            "fields": [{**dataclasses.asdict(field), "access": field.access.value} for field in FIELDS[register]],
        }
        for register in Register
    ]
    counters = [
        {
            "name": counter.name,
            "address": counter_address(counter),
            "bits": 64,
            "fields": [
                dataclasses.asdict(Field("count", 0, 64, Access.READ, "low word first")) | {"access": Access.READ.value}
            ],
        }
        for counter in Counter
    ]
    return sorted(registers + counters, key=lambda register: int(register["address"]))
