"""From accumulators to int8, bit-identical to ONNX Runtime's float32 requantisation."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, ValueLike, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.config import AcceleratorConfig
from hw.isa import PARAMETER_LAYOUT

TOTAL_BITS = 32
"""Width of an accumulator with its bias, as in ONNX's int32."""

SIGNIFICANT_BITS = 24
"""Precision of IEEE 754 binary32."""

STAGES = 7
"""Registers between a sum and its result."""

FRACTION_BITS = SIGNIFICANT_BITS + 1
"""Of the last shift. 25, since a significand of at most 2**24 is then at most one half, and rounds to 0."""

LARGEST_SHIFT = 11
"""2**23 << 11 is 512 with 25 fraction bits: outside of int8 whatever the zero point."""


def drained_layout(config: AcceleratorConfig) -> data.StructLayout:
    """A vector of output channels as it comes out of the accumulators."""
    return data.StructLayout({"valid": 1, "lanes": data.ArrayLayout(signed(config.accumulator_bits), config.cols)})


def results_layout(config: AcceleratorConfig) -> data.StructLayout:
    """A vector of output channels as it goes to memory."""
    return data.StructLayout({"valid": 1, "lanes": data.ArrayLayout(signed(8), config.cols)})


class RequantiserLane(wiring.Component):
    """Requantise one output channel: ``clamp(round(f32(f32(total) * scale)) + zero_point)`` in integers.

    total is the low 32 bits of ``sum + bias``, scale is ``mantissa * 2**(exponent - 23)`` with mantissa
    in [2**23, 2**24) or 0. Every rounding is half to even. Stages:

    1. total
    2. magnitude, shifted left until its highest one is bit 31
    3. rounded to 24 significant bits (the carry may leave 2**24: as good, and still a 48-bit product)
    4. product with the mantissa: in [2**46, 2**48), so that normalising it takes a shift of one or none
    5. rounded to 24 significant bits; distance to the binary point
    6. shifted to an integer. A shift beyond the range in which it makes a difference is replaced by the
       nearest one that gives 0, or at least 512, which no zero point brings back into int8.
    7. sign, zero point, clamp

    Members
    -------
    enables : In, 7 bits
        Stage i updates while bit i is set; else it keeps its content.
    sum : In, signed(accumulator_bits)
    parameters : In, ``PARAMETER_LAYOUT``
    zero_point, minimum, maximum : In, signed(8)
    result : Out, signed(8)
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "enables": In(STAGES),
                "sum": In(signed(config.accumulator_bits)),
                "parameters": In(PARAMETER_LAYOUT),
                "zero_point": In(signed(8)),
                "minimum": In(signed(8)),
                "maximum": In(signed(8)),
                "result": Out(signed(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()

        total = Signal(signed(TOTAL_BITS), reset_less=True)
        with m.If(self.enables[0]):
            m.d.sync += total.eq(self.sum + self.parameters.bias)

        magnitude = Signal(TOTAL_BITS)
        m.d.comb += magnitude.eq(Mux(total < 0, -total, total))
        shifted, zeros = _normalise(m, magnitude)
        normal = Signal(TOTAL_BITS, reset_less=True)
        leading = Signal(len(zeros), reset_less=True)
        negative_2 = Signal(reset_less=True)
        with m.If(self.enables[1]):
            m.d.sync += [normal.eq(shifted), leading.eq(zeros), negative_2.eq(total < 0)]

        significant = Signal(SIGNIFICANT_BITS + 1, reset_less=True)
        # Exponents of the result's factors: |total| = significant * 2**(8 - leading), the scale's, and what
        # makes it the left shift of stage 6 for a product below 2**47.
        shift_3 = Signal(signed(9), reset_less=True)
        negative_3 = Signal(reset_less=True)
        with m.If(self.enables[2]):
            m.d.sync += [
                significant.eq(_round_half_even(normal, TOTAL_BITS - SIGNIFICANT_BITS)),
                shift_3.eq(self.parameters.exponent - leading + (8 + FRACTION_BITS)),
                negative_3.eq(negative_2),
            ]

        product = Signal(2 * SIGNIFICANT_BITS, reset_less=True)
        shift_4 = Signal(signed(9), reset_less=True)
        negative_4 = Signal(reset_less=True)
        with m.If(self.enables[3]):
            m.d.sync += [
                product.eq(significant * self.parameters.mantissa),
                shift_4.eq(shift_3),
                negative_4.eq(negative_3),
            ]

        high = product[-1]
        rounded = Signal(SIGNIFICANT_BITS + 1, reset_less=True)
        shift_5 = Signal(range(LARGEST_SHIFT + 1), reset_less=True)
        negative_5 = Signal(reset_less=True)
        exact_shift = Signal(signed(9))
        m.d.comb += exact_shift.eq(shift_4 + high)
        with m.If(self.enables[4]):
            m.d.sync += [
                rounded.eq(_round_half_even(Mux(high, product, product << 1)[: len(product)], SIGNIFICANT_BITS)),
                shift_5.eq(_clamp(exact_shift, 0, LARGEST_SHIFT)),
                negative_5.eq(negative_4),
            ]

        fixed_point = Signal(SIGNIFICANT_BITS + 1 + LARGEST_SHIFT)
        m.d.comb += fixed_point.eq(rounded << shift_5)
        integer = Signal(LARGEST_SHIFT, reset_less=True)
        negative_6 = Signal(reset_less=True)
        with m.If(self.enables[5]):
            m.d.sync += [integer.eq(_round_half_even(fixed_point, FRACTION_BITS)), negative_6.eq(negative_5)]

        output = Signal(signed(LARGEST_SHIFT + 2))
        m.d.comb += output.eq(Mux(negative_6, -integer, integer) + self.zero_point)
        result = Signal(signed(8), reset_less=True)
        with m.If(self.enables[6]):
            m.d.sync += result.eq(_clamp(output, self.minimum, self.maximum))
        m.d.comb += self.result.eq(result)
        return m


class Requantiser(wiring.Component):
    """Requantise a vector of sums per cycle, each lane with its own channel's parameters.

    No back-pressure; results leave in order, ``latency`` cycles after their sums. ``parameters``,
    ``zero_point``, ``minimum`` and ``maximum`` are used in different stages and not delayed: they must hold
    still from the cycle of a vector's sums until the cycle of its results, and may change at once afterwards.

    Members
    -------
    sums : In, valid and cols x signed(accumulator_bits)
    parameters : In, cols x ``PARAMETER_LAYOUT``
    zero_point, minimum, maximum : In, signed(8)
        With minimum > maximum, minimum wins.
    results : Out, ``results_layout(config)``
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "sums": In(drained_layout(config)),
                "parameters": In(data.ArrayLayout(PARAMETER_LAYOUT, config.cols)),
                "zero_point": In(signed(8)),
                "minimum": In(signed(8)),
                "maximum": In(signed(8)),
                "results": Out(results_layout(config)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from sums to results."""
        return STAGES

    def elaborate(self, platform: object) -> Module:
        m = Module()
        valid = Signal(STAGES)
        m.d.sync += valid.eq(Cat(self.sums.valid, valid))
        m.d.comb += self.results.valid.eq(valid[-1])
        for c in range(self._config.cols):
            m.submodules[f"lane_{c}"] = lane = RequantiserLane(self._config)
            m.d.comb += [
                lane.enables.eq(Cat(self.sums.valid, valid)),
                lane.sum.eq(self.sums.lanes[c]),
                lane.parameters.eq(self.parameters[c]),
                lane.zero_point.eq(self.zero_point),
                lane.minimum.eq(self.minimum),
                lane.maximum.eq(self.maximum),
                self.results.lanes[c].eq(lane.result),
            ]
        return m


def _normalise(m: Module, value: Value) -> tuple[Value, Value]:
    """The value shifted left until its top bit is set, and by how much (all the way for 0)."""
    width = len(value)
    steps = []
    distance = width // 2
    while distance:
        empty = Signal(name=f"empty_{distance}")
        shifted = Signal(width, name=f"shifted_{distance}")
        m.d.comb += [
            empty.eq(value[width - distance :] == 0),
            shifted.eq(Mux(empty, value << distance, value)),
        ]
        steps.append(empty)
        value = shifted
        distance //= 2
    return value, Cat(reversed(steps))


def _round_half_even(value: Value, dropped: int) -> Value:
    """The unsigned value without its ``dropped`` lowest bits; one bit wider than what remains, for the carry."""
    almost_half = (1 << dropped - 1) - 1
    return (value + almost_half + value[dropped])[dropped : len(value) + 1]


def _clamp(value: Value, low: ValueLike, high: ValueLike) -> Value:
    return Mux(value < low, low, Mux(value > high, high, value))
