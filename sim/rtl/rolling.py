"""Equal instances as loops over arrays: the same Verilog, in a form that compilers make vector instructions of.

Verilator writes a statement for each element of the mesh; what follows takes the elements' registers as arrays, and
each of their statements as a loop. The next values of all registers are worked out from those before the edge, into
arrays of their own, and only then take their places. Nobody else sees these arrays: a register that something besides
the equal instances reads is a register of the surrounding module too, with a nonblocking assignment, as it was. So
every signal that is left has the value that it had, in every cycle; only the elements' registers start at other random
values.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict

from wingrid.sim.rtl.plain_module import NAME, NotPlainError, PlainModule, names, parse, renamed

FEWEST = 8
"""Equal instances that are worth a loop."""
WORD = 16
"""Bits that become elements of an array together."""

_MODULE = re.compile(r"^(module (\S+)\(.*?\);\n)(.*?)^(?=endmodule$)", flags=re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(rf"^  (\w+) (\w+) \(\n((?:    \.{NAME}\(.*\),?\n)+)  \);\n", flags=re.MULTILINE)
_PORT = re.compile(rf"^    \.({NAME})\((.*)\),?$", flags=re.MULTILINE)
_OUTPUT = re.compile(r"^  output .*\n", flags=re.MULTILINE)
_SIGN_EXTENSION = re.compile(rf"\{{ ((?:({NAME})\[(\d+)\], )(?:\2\[\3\], )*)\2 \}}")


def rolled(text: str) -> str:
    """The Verilog with loops in place of instances that are equal, register for register; what is not stays."""
    bodies = {found[2]: found[3] for found in _MODULE.finditer(text)}
    return _MODULE.sub(lambda found: found[1] + _rolled_body(found[3], bodies), text)


def _rolled_body(body: str, bodies: dict[str, str]) -> str:
    families: dict[str, list[re.Match[str]]] = defaultdict(list)
    for instance in _INSTANCE.finditer(body):
        if instance[1] in bodies:
            # Modules at the edges hide a register that nobody reads, and are equal else.
            families[_OUTPUT.sub("", bodies[instance[1]])].append(instance)
    for number, family in enumerate(families.values()):
        if len(family) >= FEWEST:
            try:
                body = _Family(family, bodies[family[0][1]], f"rolled_{number}").replaced(body)
            except NotPlainError:
                continue
    return body


class _Family:
    """Equal instances within one module."""

    def __init__(self, instances: list[re.Match[str]], body: str, prefix: str) -> None:
        self.module: PlainModule = parse(body)
        self.prefix = prefix
        # By the numbers in their names, so that neighbours lie side by side.
        self.instances = sorted(instances, key=lambda found: [int(digits) for digits in re.findall(r"\d+", found[2])])
        self.ports = [dict(_PORT.findall(instance[3])) for instance in self.instances]
        self.count = len(instances)
        self.room = 1 << (self.count - 1).bit_length()
        self.drivers = {
            ports[register]: (register, place)
            for place, ports in enumerate(self.ports)
            for register in self.module.registers
            if register in ports
        }
        self.declarations = [f"  reg [31:0] {prefix}_i;", f"  reg [31:0] {prefix}_word;"]
        self.statements: list[str] = []
        self.arrays: dict[str, str] = {}
        """What the loops read in place of the module's names."""

    def replaced(self, body: str) -> str:
        """The module's text with loops in place of the instances. Raises ``NotPlainError``."""
        for instance in self.instances:
            body = body.replace(instance[0], "")
        (clock,) = self._nets(self.module.clock, 1)
        for name in self.module.registers:
            self.arrays[name] = self._array(self.module.widths[name])
        for name in self.module.inputs:
            self._take(name)
        for name, value in self.module.logic.items():
            self.arrays[name] = self._array(self.module.widths[name])
            self._each(self.arrays[name], value)
        following = {name: self._following(name) for name in self.module.registers}
        for name in self.module.registers:
            self._loop(f"{self.arrays[name]} = {following[name]};")
        read = Counter(names(body + "\n".join(self.statements)))
        for net, (name, place) in self.drivers.items():
            declared = rf"^  wire (?=(?:\[{self.module.widths[name] - 1}:0\] )?{re.escape(net)} *;$)"
            body, count = re.subn(declared, "  reg ", body, flags=re.MULTILINE)
            if count != 1:
                raise NotPlainError(f"{net} is no wire of its own")
            if read[net] > 1:  # besides its declaration
                self.statements.append(f"    {net} <= {self._at(following[name], place)};")
        lines = [*self.declarations, f"  always @(posedge {clock}) begin", *self.statements, "  end"]
        return body + "\n".join(lines) + "\n"

    def _following(self, register: str) -> str:
        """An element of the array that holds what a register takes."""
        value = self.module.registers[register]
        if value not in self.module.registers and "[" in self.arrays.get(value, ""):
            return self.arrays[value]
        element = self._array(self.module.widths[register])
        self._each(element, value)
        return element

    def _nets(self, port: str, most: int) -> list[str]:
        """What a port of all instances is connected to; each of at most ``most`` different ones once."""
        try:
            nets = list(dict.fromkeys(ports[port] for ports in self.ports))
        except KeyError:
            raise NotPlainError(f"{port} is not connected") from None
        if len(nets) > most:
            raise NotPlainError(f"{port} is connected to {len(nets)} nets")
        return nets

    def _array(self, width: int) -> str:
        """An element, in a loop, of a new array. Its size is a power of two, so that no index lies outside."""
        name = f"{self.prefix}_{len(self.declarations)}"
        self.declarations.append(f"  reg [{width - 1}:0] {name} [0:{self.room - 1}];")
        return f"{name}[{self.prefix}_i]"

    def _at(self, element: str, place: int | str) -> str:
        return element.replace(f"[{self.prefix}_i]", f"[{place}]")

    def _loop(self, statement: str, first: int = 0, behind: int | None = None) -> None:
        # Unsigned variables, since Verilator compares signed ones by a function that no compiler sees through.
        index, behind = f"{self.prefix}_i", self.count if behind is None else behind
        head = f"for ({index} = 32'd{first}; {index} < 32'd{behind}; {index} = {index} + 32'd1)"
        self.statements += ["    /*verilator unroll_disable*/", f"    {head} {statement}"]

    def _each(self, element: str, value: str) -> None:
        """A loop that gives a value, in the module's names, to all elements."""
        self._loop(f"{element} = {renamed(_SIGN_EXTENSION.sub(self._extended, value), self.arrays)};")

    def _extended(self, found: re.Match[str]) -> str:
        """A name for a signal between copies of its upper bit and nothing: Verilator knows a sign only as such."""
        copies, name, upper = found[1].count(","), found[2], int(found[3])
        width = self.module.widths[name]
        if upper != width - 1:
            return found[0]
        element = self._array(width + copies)
        self._loop(f"{element} = $signed({self.arrays[name]});")
        return element

    def _take(self, port: str) -> None:
        """Statements that put what a port of all instances is connected to into an array."""
        nets = self._nets(port, self.count)
        if len(nets) == 1 and nets[0] not in self.drivers:
            self.arrays[port] = nets[0]
            return
        self.arrays[port] = element = self._array(self.module.widths[port])
        nets = [ports[port] for ports in self.ports]
        sources = {place: self.drivers[net] for place, net in enumerate(nets) if net in self.drivers}
        chains = Counter((name, place - source) for place, (name, source) in sources.items())
        chain = max(chains, key=lambda chain: chains[chain], default=None)
        if chain is not None:
            name, distance = chain
            source = f"{self.prefix}_i {'-' if distance > 0 else '+'} 32'd{abs(distance)}"
            first, behind = max(distance, 0), min(self.count, self.count + distance)
            self._loop(f"{element} = {self._at(self.arrays[name], source)};", first, behind)
        elif self.module.widths[port] == 1:
            self._take_bits(element, nets)
            return
        for place, net in enumerate(nets):
            driver, at = sources.get(place, (None, 0))
            if driver is None or chain != (driver, place - at):
                value = net if driver is None else self._at(self.arrays[driver], at)
                self.statements.append(f"    {self._at(element, place)} = {value};")

    def _take_bits(self, element: str, nets: list[str]) -> None:
        """Bits by words of their own: neighbours come from neighbouring bits, which Verilator joins."""
        words = [nets[first : first + WORD] for first in range(0, self.count, WORD)]
        name = f"{self.prefix}_{len(self.declarations)}"
        self.declarations.append(f"  reg [{WORD - 1}:0] {name} [0:{(1 << (len(words) - 1).bit_length()) - 1}];")
        for number, word in enumerate(words):
            self.statements.append(f"    {name}[{number}] = {{ {', '.join(reversed(word))} }};")
            index, low = f"{self.prefix}_i", number * WORD
            bit = f"{name}[{number}][{index} - 32'd{low}]" if low else f"{name}[{number}][{index}]"
            self._loop(f"{element} = {bit};", low, low + len(word))
