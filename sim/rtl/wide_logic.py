"""Wide vectors whose lanes alone are read, lane by lane: the same Verilog, in a form that suits a computer's words.

Amaranth masks all lanes of a memory's word at once. Lanes of 34 bits, say, lie across the words of 32 bits in which
Verilator works out such a vector, and each mask is made of copies of a bit: thousands of operations, where those on the
lanes themselves are a few for each. So what such a vector is, is told of each part that is read.
"""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import groupby, pairwise

from wingrid.sim.rtl.expressions import NAME, Part, part, parts

WIDEST = 64
"""Bits of variables that a computer has; what is wider consists of several."""

_MODULE = re.compile(r"^module .*?^endmodule$", flags=re.MULTILINE | re.DOTALL)
_DECLARATION = re.compile(rf"^  (?:input|output|wire|reg) (?:\[(\d+):0\] )?({NAME}) *;$", flags=re.MULTILINE)
_ASSIGNMENT = re.compile(rf"^  assign ({NAME}) *= (.*);\n", flags=re.MULTILINE)
_TARGET = re.compile(rf"^ *(?:assign )?{NAME}(?:\[\d+(?::\d+)?\])? *<?= ")
_WHOLE = re.compile(rf"({NAME}) *")
_BITS = re.compile(r"\{ ([^{}]*) \} *")
_BITWISE = re.compile(rf"({NAME}|\{{ [^{{}}]* \}}) *([&|^]) ({NAME}|\{{ [^{{}}]* \}}) *")


def by_parts(text: str) -> str:
    """The Verilog with assignments to the parts of a wide wire that are read, in place of one to all of it.

    That is done where parts alone are read that do not overlap, and where the wire is bitwise logic of vectors and of
    vectors of single bits. Anything else stays.
    """
    return _MODULE.sub(lambda module: _module_by_parts(module[0]), text)


def _module_by_parts(text: str) -> str:
    widths = {name: int(high or 0) + 1 for high, name in _DECLARATION.findall(text)}
    assignments = {found[1]: found for found in _ASSIGNMENT.finditer(text) if widths.get(found[1], 0) > WIDEST}
    values = {name: found[2] for name, found in assignments.items()}
    read: dict[str, set[Part]] = {name: set() for name in values}
    for line in text.splitlines():
        if not _DECLARATION.fullmatch(line):
            for lane in parts(_TARGET.sub("", line), defaultdict(int, widths)):
                if lane.name in read:
                    read[lane.name].add(lane)
    for name, found in assignments.items():
        lanes = sorted(read[name], key=lambda lane: lane.low)
        apart = all(below.high < above.low for below, above in pairwise(lanes))
        if lanes and apart and all(lane.width <= WIDEST for lane in lanes):
            logic = {lane: _part_of(values[name], lane, values, widths) for lane in lanes}
            if all("{" in value for value in logic.values()):
                told = [f"  assign {name}[{lane.high}:{lane.low}] = {value};\n" for lane, value in logic.items()]
                text = text.replace(found[0], "".join(told))
    return text


def _part_of(value: str, lane: Part, values: dict[str, str], widths: dict[str, int]) -> str:
    """A lane's bits of a wide value, with ``{`` where they hang on single bits; nothing if it is no bitwise logic."""
    if found := _WHOLE.fullmatch(value):
        name = found[1]
        further = _part_of(values[name], lane, values, widths) if name in values else ""
        return further or f"{name}[{lane.high}:{lane.low}]"
    if found := _BITWISE.fullmatch(value):
        left, right = (_part_of(found[side], lane, values, widths) for side in (1, 3))
        return f"({left} {found[2]} {right})" if left and right else ""
    if found := _BITS.fullmatch(value):
        items = [part(item, widths) for item in found[1].split(", ")]
        bits = [(item.name, bit) for item in items if item for bit in range(item.high, item.low - 1, -1)]
        if all(items):
            runs = groupby(bits[len(bits) - 1 - lane.high : len(bits) - lane.low])
            copies = [(len(list(run)), name if widths[name] == 1 else f"{name}[{bit}]") for (name, bit), run in runs]
            return f"{{ {', '.join(f'{{{count}{{{bit}}}}}' for count, bit in copies)} }}"
    return ""
