"""How properties are stated: a bench around gateware, with an output bit for each rule, high where it is broken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from amaranth.hdl import Module, Signal, Value, ValueLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature


class Bench(wiring.Component):
    """Gateware in surroundings that are free but for assumptions, watched by rules.

    A subclass names its ``rules`` with a sentence each, and ``witnesses``: situations that must be possible, or else
    the rules would say nothing. In ``elaborate`` it calls ``begin``, ``assume``, ``rule`` and ``witness``, then
    ``conclude``. All its inputs are arbitrary in every cycle. A rule counts as broken in a cycle up to which, and in
    which, all assumptions held.
    """

    rules: ClassVar[Mapping[str, str]] = {}
    witnesses: ClassVar[Mapping[str, str]] = {}

    def __init__(self, inputs: Mapping[str, object] | None = None) -> None:
        members = {name: In(shape) for name, shape in (inputs or {}).items()}
        super().__init__(Signature({**members, "broken": Out(len(self.outputs))}))
        self._assumptions: list[Value] = []
        self._checked: set[str] = set()

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the bits of ``broken`` stand for."""
        return (*self.rules, *self.witnesses)

    def assume(self, holds: ValueLike) -> None:
        self._assumptions.append(Value.cast(holds).bool())

    def rule(self, m: Module, name: str, holds: ValueLike) -> None:
        """State that ``holds`` is true in every cycle."""
        self.witness(m, name, ~Value.cast(holds).bool())

    def witness(self, m: Module, name: str, seen: ValueLike) -> None:
        """State that ``seen`` can be true in some cycle."""
        assert name not in self._checked, f"{name} is stated twice"
        self._checked.add(name)
        m.d.comb += self.broken[self.outputs.index(name)].eq(self._legal & Value.cast(seen).bool())

    def begin(self, m: Module) -> None:
        """Comes before all rules."""
        self._legal = Signal(name="legal")

    def conclude(self, m: Module) -> None:
        """Comes after all assumptions."""
        assert self._checked == set(self.outputs), "rules that are not stated"
        illegal = Signal()
        for assumption in self._assumptions:
            with m.If(~assumption):
                m.d.sync += illegal.eq(1)
        holds: Value = ~illegal
        for assumption in self._assumptions:
            holds = holds & assumption
        m.d.comb += self._legal.eq(holds)


def past(m: Module, value: ValueLike, name: str | None = None) -> Signal:
    """The value in the cycle before; zero in the first cycle after reset."""
    value = Value.cast(value)
    register = Signal(value.shape(), name=name or "past")
    m.d.sync += register.eq(value)
    return register


def steady(m: Module, valid: Value, ready: Value, payload: ValueLike) -> Value:
    """What is valid and not taken is valid in the next cycle too, with the same payload (IHI 0022E, A3.2.1)."""
    waited, before = past(m, valid & ~ready), past(m, payload)
    return ~waited | (valid & (Value.cast(payload) == before))
