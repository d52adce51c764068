"""The register map behind the AXI4-Lite slave: byte addresses, bits and counters, for RTL and host alike."""

from __future__ import annotations

import enum

REGISTER_ADDRESS_BITS = 9
"""Width of an AXI4-Lite byte address."""

IDENTITY = 0x5752_4E47
"""What ``Register.IDENTITY`` reads as: the letters WRNG."""


class Register(enum.IntEnum):
    """Byte addresses of the 32-bit registers."""

    IDENTITY = 0x00
    SHAPE = 0x04
    """Columns in bits 15..0, rows in bits 31..16."""
    CONTROL = 0x08
    STATUS = 0x0C
    INTERRUPT_ENABLE = 0x10
    INTERRUPT_PENDING = 0x14
    """Bit 0: the machine stopped. Write one to clear."""
    FAULT = 0x18
    FAULT_PC = 0x1C
    """Index of the instruction that the fault belongs to."""
    PROGRAM = 0x20
    """Byte address of the first instruction; a multiple of the instruction's size."""
    PROGRAM_LENGTH = 0x24
    """Number of instructions, at least 1."""


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
    """64-bit counters, cleared by START; counter i reads at ``COUNTER_BASE + 8*i`` (low word first).

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

assert COUNTER_BASE + 8 * len(Counter) <= 1 << REGISTER_ADDRESS_BITS


def counter_address(counter: Counter) -> int:
    """Byte address of the counter's low word; the high word follows."""
    return COUNTER_BASE + 8 * counter
