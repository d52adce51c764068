"""Division of multiples by a constant, in adders and shifts."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.winograd.separable_transform import vector_layout
from wingrid.hw.winograd_matrices import WinogradTransform


class ExactDivision(wiring.Component):
    """Divide each lane by the scale of the transform that ``select`` picks from ``transforms``.

    A lane is a signed number modulo ``2**bits`` and must be a multiple of scale = 2**shift * odd. Dropping
    the zero bits and multiplying by the inverse of the odd part, an adder for each of its factors, gives
    the quotient modulo ``2**(bits - shift)``. One vector per cycle.

    Members
    -------
    select : In, range(max(2, len(transforms)))
        Must hold from a vector's cycle until its quotients leave.
    input : In, ``vector_layout(bits, lanes)``
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
                "input": In(vector_layout(bits, lanes)),
                "output": Out(vector_layout(bits, lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        halfway = Signal(vector_layout(self._bits, self._lanes))
        m.d.sync += [halfway.valid.eq(self.input.valid), self.output.valid.eq(halfway.valid)]
        for source, target, half in ((self.input, halfway, 0), (halfway, self.output, 1)):
            with m.If(source.valid), m.Switch(self.select):
                for choice, transform in enumerate(self._transforms):
                    with m.Case(choice):
                        for lane in range(self._lanes):
                            m.d.sync += target.lanes[lane].eq(self._step(transform, half, source.lanes[lane]))
        return m

    def _step(self, transform: WinogradTransform, half: int, value: Value) -> Value:
        """The first half drops the zero bits and multiplies by half of the factors, the second by the others."""
        width = transform.answer_bits(self._bits)
        factors = transform.inverse_factors(self._bits)
        middle = -(-len(factors) // 2)
        value = value[:width] if half else value[transform.shift :]
        for sign, places in factors[middle:] if half else factors[:middle]:
            value = ((value + (value << places)) if sign > 0 else (value - (value << places)))[:width]
        return value.as_signed()
