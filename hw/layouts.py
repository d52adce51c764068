"""The formats of ``wingrid.hw.isa`` as gateware takes them apart.

They are no part of that module because Amaranth takes longer to import than an estimate to make, and compiler and
timing model do without.
"""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Shape
from amaranth.lib import data

from wingrid.hw.isa import CODE_HEAD_FIELDS, PARAMETER_FIELDS, Bits, Instruction


def layout_of(kind: type[Instruction]) -> data.StructLayout:
    """The layout of an instruction, opcode first, without trailing padding."""
    return _structure(kind.formats())


def _structure(fields: Mapping[str, Bits]) -> data.StructLayout:
    return data.StructLayout({name: Shape(bits.width, bits.signed) for name, bits in fields.items()})


PARAMETER_LAYOUT = _structure(PARAMETER_FIELDS)
"""An output channel's parameters, ``PARAMETER_FIELDS``."""

CODE_HEAD = _structure(CODE_HEAD_FIELDS)
"""What stands in front of a raw tile's codes, ``CODE_HEAD_FIELDS``."""
