"""Equal instances as loops over arrays: the same Verilog, in a form that compilers make vector instructions of.

Verilator writes a statement for each lane of a vector and each element of the mesh; what follows takes the registers of
all of them as arrays, and what an instance does as the body of one loop: it works out the next values of all registers
of an element, and then puts them into their places. Nobody else sees these arrays: a register that something besides
the equal instances reads is a register of the surrounding module too, with a nonblocking assignment, as it was. So
every signal that is left has the value that it had, in every cycle; only the elements' registers start at other random
values.

A loop need not run where nothing that it reads has changed since it last did: then all registers take what they hold.
What that costs to see is a comparison for each input, and for each register while the loop runs.

What makes compilers use vectors: no branch, as `selected` says; all elements of 32 bits, or of 64 where those are too
few, whose upper bits may hold anything, as each reader takes the bits that it wants; variables that are given a value
in front of the loop, by which Verilator knows that they need not outlive it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict

from wingrid.sim.rtl.expressions import NAME, Part, names, parts, shortened, signed_comparison, substituted
from wingrid.sim.rtl.plain_module import NotPlainError, PlainModule, parse

FEWEST = 4
"""Equal instances that are worth a loop."""
WORD = 16
"""Bits that become elements of an array together."""
LEAST, MOST = 32, 64
"""Width of variables that hold no more bits than that, and of the widest that compilers know."""
RESTING = 7
"""Operations for each input from which on it pays to see whether anything has changed. One on more than ``LEAST`` bits
counts as two: vector instructions do half as many at once."""

_MODULE = re.compile(r"^(module (\S+)\(.*?\);\n)(.*?)^(?=endmodule$)", flags=re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(rf"^  (\w+) (\w+) \(\n((?:    \.{NAME}\(.*\),?\n)+)  \);\n", flags=re.MULTILINE)
_PORT = re.compile(rf"^    \.({NAME})\((.*)\),?$", flags=re.MULTILINE)
_NET = re.compile(rf"({NAME})(?:\[(\d+)(?::(\d+))?\])?")


def rolled(text: str) -> str:
    """The Verilog with loops in place of instances that are equal, register for register; what is not stays."""
    bodies = {found[2]: found[3] for found in _MODULE.finditer(text)}
    return _MODULE.sub(lambda found: found[1] + _rolled_body(found[3], bodies), text)


def _rolled_body(body: str, bodies: dict[str, str]) -> str:
    alike: dict[str, list[re.Match[str]]] = defaultdict(list)
    for instance in _INSTANCE.finditer(body):
        if instance[1] in bodies:
            alike[re.sub(r"\d+", "", instance[2])].append(instance)
    families: dict[object, list[_Instance]] = defaultdict(list)
    for instances in alike.values():
        if len(instances) >= FEWEST:
            for instance in instances:
                try:
                    module = parse(bodies[instance[1]])
                    families[module.form].append(_Instance(instance, module))
                except NotPlainError:
                    continue
    for number, family in enumerate(families.values()):
        if len(family) >= FEWEST:
            try:
                body = _Family(family, f"rolled_{number}").replaced(body)
            except NotPlainError:
                continue
    return body


class _Instance:
    """An instance, and what its inputs and the registers that have ports are connected to."""

    def __init__(self, found: re.Match[str], module: PlainModule) -> None:
        self.text = found[0]
        self.module = module
        # By the numbers in their names, so that neighbours lie side by side.
        self.place = [int(digits) for digits in re.findall(r"\d+", found[2])]
        self._connections: dict[str, str] = dict(_PORT.findall(found[3]))
        self.clock = self._net(Part(module.clock, 0, 0))
        self.nets = {name: self._net(part) for name, part in module.inputs.items()}
        self.nets |= {
            name: self._connections[port] for name, port in module.outputs.items() if port in self._connections
        }

    def _net(self, part: Part) -> str:
        """What a part of a port is connected to."""
        if part.name not in self._connections:
            raise NotPlainError(f"{part.name} is not connected")
        net = self._connections[part.name]
        if part.width == self.module.ports[part.name]:
            return net
        found = _NET.fullmatch(net)
        if found is None:
            raise NotPlainError(f"{part.name} is connected to more than a part of a signal")
        low = int(found[3] or found[2] or 0)
        bits = f"{low + part.high}:{low + part.low}" if part.width > 1 else f"{low + part.low}"
        return f"{found[1]}[{bits}]"


class _Family:
    """Equal instances within one module."""

    def __init__(self, instances: list[_Instance], prefix: str) -> None:
        self.instances = sorted(instances, key=lambda instance: instance.place)
        self.module = self.instances[0].module
        self.prefix = prefix
        self.index = f"{prefix}_i"
        self.count = len(instances)
        self.drivers = {
            instance.nets[register]: (register, place)
            for place, instance in enumerate(self.instances)
            for register in self.module.registers
            if register in instance.nets
        }
        self.declarations = [f"  reg [31:0] {self.index};"]
        self.statements: list[str] = []
        self.body: list[str] = []
        """Of the loop, up to the next values of all registers."""
        self.local: list[str] = []
        """Variables that are given a value in the loop, and read there alone."""
        self.widths = dict(self.module.widths)
        self.variables: dict[str, str] = {}
        """What the loop reads in place of the module's names."""
        self.words: dict[str, list[str]] = {}
        """The words that hold an input's bits of all instances, where it comes as such."""

    def replaced(self, body: str) -> str:
        """The module's text with a loop in place of the instances. Raises ``NotPlainError``."""
        clocks = {instance.clock for instance in self.instances}
        if len(clocks) != 1:
            raise NotPlainError(f"{len(clocks)} clocks")
        for instance in self.instances:
            body = body.replace(instance.text, "")
        module = self.module
        for name in module.registers:
            self.variables[name] = f"{self._array(module.widths[name])}[{self.index}]"
        for name in module.inputs:
            self._take(name)
        for name, value in module.logic.items():
            self.variables[name] = self._computed(module.widths[name], value)
        following = {name: self._computed(module.widths[name], value) for name, value in module.registers.items()}
        operations = (len(module.registers) + len(module.logic)) * (1 + (max(module.widths.values()) > LEAST))
        if operations >= RESTING * len(module.inputs) and max(module.widths.values()) <= MOST:
            self._run_unless_resting(following)
        else:
            self._run(following)
        read = Counter(names(body + "\n".join(self.statements)))
        for net, (name, place) in self.drivers.items():
            declared = rf"^  wire (?=(?:\[{module.widths[name] - 1}:0\] )?{re.escape(net)} *;$)"
            body, count = re.subn(declared, "  reg ", body, flags=re.MULTILINE)
            if count != 1:
                raise NotPlainError(f"{net} is no wire of its own")
            if read[net] > 1:  # besides its declaration
                self.statements.append(f"    {net} <= {self._at(name, place)}[{module.widths[name] - 1}:0];")
        lines = [*self.declarations, f"  always @(posedge {clocks.pop()}) begin", *self.statements, "  end"]
        return body + "\n".join(lines) + "\n"

    def _run(self, following: dict[str, str]) -> None:
        """The loop, given what each register takes."""
        moves = [f"{self.variables[name]} = {value};" for name, value in following.items()]
        for port, words in self.words.items():
            for number, word in enumerate(words):
                low = number * WORD
                bit = f"{word}[{self.index} - 32'd{low}]"
                self._loop(f"{self.variables[port]} = {bit};", first=low, behind=min(low + WORD, self.count))
        self.statements += [f"    {variable} = 0;" for variable in self.local]
        self._loop("begin", *(f"  {statement}" for statement in [*self.body, *moves]), "end")

    def _run_unless_resting(self, following: dict[str, str]) -> None:
        """The same, where an input has changed since it last ran, or a register did when it ran."""
        wakes = self._differences()
        for name in self.module.inputs:
            now, width = self.variables[name], self.module.widths[name]
            if name in self.words:
                for word in self.words[name]:
                    before = self._variable(WORD)
                    self.statements += [f"    {self._difference(wakes, name, word, before)}", f"    {before} = {word};"]
                continue
            is_array = now.endswith(f"[{self.index}]")
            before = f"{self._array(width)}[{self.index}]" if is_array else self._variable(width)
            look = [self._difference(wakes, name, now, before), f"{before} = {now};"]
            if is_array:
                self._loop("begin", *(f"  {statement}" for statement in look), "end")
            else:
                self.statements += [f"    {statement}" for statement in look]
        restless = self._declare(1)
        self.declarations.append(f"  initial {restless} = 1'h1;")
        self.statements.append(f"    if ({restless} | {self._any(wakes)}) begin")
        changes = self._differences()
        for name, value in following.items():
            self.body.append(self._difference(changes, name, value, self.variables[name]))
        self._run(following)
        self.statements += [f"    {restless} = {self._any(changes)};", "    end"]

    def _differences(self) -> dict[int, str]:
        """Two variables that collect bits that differ: of narrow signals, and of wide ones."""
        variables = {width: self._declare(width) for width in (LEAST, MOST)}
        self.statements += [f"    {variable} = 0;" for variable in variables.values()]
        return variables

    def _difference(self, variables: dict[int, str], name: str, now: str, before: str) -> str:
        variable = variables[LEAST if self.module.widths[name] <= LEAST else MOST]
        return f"{variable} = {variable} | ({now} ^ {before});"

    @staticmethod
    def _any(variables: dict[int, str]) -> str:
        return f"(({' | '.join(variables.values())}) != 0)"

    def _declare(self, width: int, count: int | None = None) -> str:
        """A new variable, or an array of a power of two of elements, so that no index lies outside."""
        name = f"{self.prefix}_{len(self.declarations)}"
        elements = "" if count is None else f" [0:{(1 << (count - 1).bit_length()) - 1}]"
        self.declarations.append(f"  reg [{width - 1}:0] {name}{elements};")
        return name

    def _variable(self, width: int) -> str:
        return self._declare(max(width, LEAST))

    def _array(self, width: int) -> str:
        return self._declare(max(width, LEAST), self.count)

    def _at(self, name: str, place: int | str) -> str:
        """The array's element of that place that the loop has under a name of the module."""
        return self.variables[name].replace(f"[{self.index}]", f"[{place}]")

    def _loop(self, *body: str, first: int = 0, behind: int | None = None) -> None:
        # Unsigned variables, since Verilator compares signed ones by a function that no compiler sees through.
        index, behind = self.index, self.count if behind is None else behind
        head = f"for ({index} = 32'd{first}; {index} < 32'd{behind}; {index} = {index} + 32'd1)"
        self.statements += [
            "    /*verilator unroll_disable*/",
            f"    {head} {body[0]}",
            *(f"    {line}" for line in body[1:]),
        ]

    def _computed(self, width: int, value: str) -> str:
        """A variable for the value, which is in the module's names."""
        value = shortened(value, self.widths, self._extended)
        comparison = signed_comparison(value)
        if comparison and all(part.width <= LEAST for part in parts(value, self.widths)):
            # Without signs, from the middle of all numbers: Verilator compares signed ones as numbers of 64 bits.
            left, operator, right = comparison
            operands = [
                self._given(LEAST, substituted(operand, self.widths, self._bits)) + f" ^ {LEAST}'h80000000"
                for operand in (left, right)
            ]
            return self._given(width, f"({operands[0]}) {operator} ({operands[1]})")
        return self._given(width, substituted(value, self.widths, self._bits))

    def _given(self, width: int, value: str) -> str:
        """A variable with that value, worked out in the loop."""
        name = self._variable(width)
        self.local.append(name)
        self.body.append(f"{name} = {value};")
        return name

    def _bits(self, part: Part) -> str:
        return f"{self.variables[part.name]}[{part.high}:{part.low}]"

    def _extended(self, part: Part, width: int) -> str:
        """A new name, as the module might have it, for a part with copies of its upper bit in front of it."""
        name = f"extended_{len(self.widths)}"
        self.widths[name] = width
        self.variables[name] = self._given(width, f"$signed({self._bits(part)})")
        return name

    def _take(self, port: str) -> None:
        """Statements that put what a port of all instances is connected to into a variable, or into an array."""
        nets = [instance.nets[port] for instance in self.instances]
        width = self.module.widths[port]
        sources = {place: self.drivers[net] for place, net in enumerate(nets) if net in self.drivers}
        if not sources and len(set(nets)) == 1:
            self.variables[port] = variable = self._variable(width)
            self.statements.append(f"    {variable} = {nets[0]};")
            return
        self.variables[port] = f"{self._array(width)}[{self.index}]"
        chains = Counter((name, place - source) for place, (name, source) in sources.items())
        chain = max(chains, key=lambda chain: chains[chain], default=None)
        if chain is not None:
            name, distance = chain
            source = f"{self.index} {'-' if distance > 0 else '+'} 32'd{abs(distance)}"
            first, behind = max(distance, 0), min(self.count, self.count + distance)
            self._loop(f"{self.variables[port]} = {self._at(name, source)};", first=first, behind=behind)
        elif width == 1:
            self._take_bits(port, nets)
            return
        for place, net in enumerate(nets):
            driver, at = sources.get(place, (None, 0))
            if driver is None or chain != (driver, place - at):
                value = net if driver is None else self._at(driver, at)
                self.statements.append(f"    {self._at(port, place)} = {value};")

    def _take_bits(self, port: str, nets: list[str]) -> None:
        """Bits by words of their own: neighbours come from neighbouring bits, which Verilator joins."""
        words = [nets[first : first + WORD] for first in range(0, self.count, WORD)]
        name = self._declare(WORD, len(words))
        self.words[port] = [f"{name}[{number}]" for number in range(len(words))]
        for number, word in enumerate(words):
            self.statements.append(f"    {self.words[port][number]} = {{ {', '.join(reversed(word))} }};")
