"""Division of multiples by a constant, in adders and shifts."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.winograd.vectors import register, vector_layout
from wingrid.hw.winograd_matrices import WinogradTransform


class ExactDivision(wiring.Component):
    """Divide each lane by what ``OutputTransform`` leaves of the scale of the transform that ``select`` picks.

    That is the odd part. A lane is a multiple of it, modulo ``2**transform.answer_bits(bits)``; multiplying by
    its inverse, an adder for each of the inverse's factors, gives the quotient. One vector per cycle.

    Members
    -------
    select : In, range(max(2, len(transforms)))
        By place in ``transforms``. Must hold from a vector's cycle until its quotients leave.
    input : In, ``vector_layout(bits - 2, lanes)``
    output : Out, ``vector_layout(bits, lanes)``
        The quotients, sign-extended, ``latency`` cycles later. Lanes have a meaning only together with ``valid``.
    """

    latency = 2
    """Cycles from a vector to its quotients."""

    def __init__(self, transforms: Sequence[WinogradTransform], *, lanes: int, bits: int) -> None:
        self._transforms = transforms
        self._lanes = lanes
        self._bits = bits
        super().__init__(
            {
                "select": In(range(max(2, len(transforms)))),
                "input": In(vector_layout(bits - 2, lanes)),
                "output": Out(vector_layout(bits, lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        halfway_valid = Signal()
        m.d.sync += [halfway_valid.eq(self.input.valid), self.output.valid.eq(halfway_valid)]
        for number in range(self._lanes):
            m.submodules[f"lane_{number}"] = lane = DivisionLane(self._transforms, bits=self._bits)
            m.d.comb += [
                lane.select.eq(self.select),
                lane.value.eq(self.input.lanes[number]),
                self.output.lanes[number].eq(lane.result),
            ]
        return m


class DivisionLane(wiring.Component):
    """One lane of ``ExactDivision``.

    Members
    -------
    select : In, range(max(2, len(transforms)))
    value : In, signed(bits - 2)
    result : Out, signed(bits)
    """

    def __init__(self, transforms: Sequence[WinogradTransform], *, bits: int) -> None:
        self._transforms = transforms
        self._bits = bits
        super().__init__(
            {
                "select": In(range(max(2, len(transforms)))),
                "value": In(signed(bits - 2)),
                "result": Out(signed(bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        quotients = []
        for number, transform in enumerate(self._transforms):
            halfway = register(f"halfway_{number}", transform.answer_bits(self._bits))
            m.d.sync += halfway.eq(self._step(transform, 0, self.value))
            quotients.append(self._step(transform, 1, halfway))
        quotient = register("quotient", self._bits)
        m.d.sync += quotient.eq(Array(quotients)[self.select])
        m.d.comb += self.result.eq(quotient)
        return m

    def _step(self, transform: WinogradTransform, half: int, value: Value) -> Value:
        """The first half multiplies by half of the factors, the second by the others, those of fewest bits first."""
        factors = transform.inverse_factors(self._bits)
        middle = -(-len(factors) // 2)
        value = value[: transform.answer_bits(self._bits)]
        for sign, places in reversed(factors[middle:]) if half else factors[:middle]:
            value = times(value, sign, places)
        return value.as_signed()


def times(value: Value, sign: int, places: int) -> Value:
    """``value * (1 + sign * 2**places)``, modulo two to its width; the low bits stay."""
    high, summand = value[places:], value[: len(value) - places]
    return Cat(value[:places], (high + summand if sign > 0 else high - summand)[: len(summand)])
