"""Instructions as bytes: one encoded, a program encoded, decoded again, and read as arrays of fields.

``wingrid.hw.isa`` says which fields an instruction has, how wide they are and what they mean; all of them are whole
bytes, little-endian, in the order in which they are declared, behind the opcode byte. This module is the only one
that turns them into bytes and back.
"""

from __future__ import annotations

import functools
import operator
import struct
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from wingrid.hw.config import INSTRUCTION_BYTES
from wingrid.hw.isa import INSTRUCTIONS, Instruction, Opcode, placed


class ProgramError(ValueError):
    """A program that breaks the rules of the instruction set, or never ends; the message says how."""


def encode(instruction: Instruction) -> bytes:
    """The instruction as it lies in memory, ``INSTRUCTION_BYTES`` long.

    Raises ``ValueError`` naming the field whose value does not fit.
    """
    packing, values = _packing(instruction.opcode)
    try:
        return packing.pack(instruction.opcode, *values(instruction))
    except struct.error:
        raise ValueError(_misfit(instruction)) from None


def encode_program(program: Iterable[Instruction]) -> bytes:
    """The program as it lies in memory, instruction after instruction."""
    return b"".join(map(encode, program))


def decode(word: bytes) -> Instruction:
    """The instruction that ``word`` encodes; raises ``ProgramError`` for an unknown opcode."""
    kind = next((kind for kind in INSTRUCTIONS if kind.opcode == word[0]), None)
    if kind is None:
        raise ProgramError(f"unknown opcode {word[0]}")
    _, *values = _packing(kind.opcode)[0].unpack(word)
    return kind(*values)


def decode_program(program: bytes) -> list[Instruction]:
    """The instructions of a program as it lies in memory; raises ``ProgramError`` for an unknown opcode."""
    return [decode(program[start : start + INSTRUCTION_BYTES]) for start in range(0, len(program), INSTRUCTION_BYTES)]


def instruction_fields(program: bytes, kind: type[Instruction], *names: str) -> dict[str, npt.NDArray[np.int64]]:
    """Fields of all instructions of a kind, in the order of the program: an array [instructions] for each name.

    Without names, all fields that there are.
    """
    words = np.frombuffer(program, record(kind))
    chosen = np.flatnonzero(words["opcode"] == kind.opcode)
    return {name: words[name][chosen].astype(np.int64) for name in names or words.dtype.names or ()}


def record(kind: type[Instruction]) -> np.dtype[Any]:
    """The layout of an instruction, opcode included, as a numpy record of ``INSTRUCTION_BYTES``."""
    return _record(kind.opcode)


@functools.cache
def _record(opcode: Opcode) -> np.dtype[Any]:
    kind = next(kind for kind in INSTRUCTIONS if kind.opcode == opcode)
    names, formats, offsets = [], [], []
    for name, bits, offset in placed(kind.formats()):
        names.append(name)
        formats.append(f"<{'i' if bits.signed else 'u'}{bits.width // 8}")
        offsets.append(offset // 8)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": INSTRUCTION_BYTES})


@functools.cache
def _packing(opcode: Opcode) -> tuple[struct.Struct, Callable[[Instruction], tuple[int, ...]]]:
    """How an instruction is packed, and what gets the values of its fields; much faster than numpy for one."""
    formats = next(kind for kind in INSTRUCTIONS if kind.opcode == opcode).formats()
    codes = {8: "B", 16: "H", 32: "I"}
    form = "".join(codes[bits.width].lower() if bits.signed else codes[bits.width] for bits in formats.values())
    packing = struct.Struct(f"<{form}{INSTRUCTION_BYTES - struct.calcsize(f'<{form}')}x")
    _, *names = formats
    return packing, operator.attrgetter(*names)


def _misfit(instruction: Instruction) -> str:
    """A sentence about the first field whose value does not fit."""
    for name, bits in instruction.formats().items():
        value = getattr(instruction, name)
        low = -(1 << bits.width - 1) if bits.signed else 0
        high = (1 << bits.width - bits.signed) - 1
        if not low <= value <= high:
            return f"{instruction.opcode.name} field {name} = {value} must lie between {low} and {high}"
    raise AssertionError("a field that could not be packed must be out of its range")
