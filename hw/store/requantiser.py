"""From accumulators to int8, bit-identical to ONNX Runtime's float32 requantisation."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, ShapeLike, Signal, Value, ValueLike, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import PARAMETER_LAYOUT

TOTAL_BITS = 32
"""Width of an accumulator with its bias, as in ONNX's int32."""

SIGNIFICANT_BITS = 24
"""Precision of IEEE 754 binary32."""

STAGES = 12
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

    1.  total
    2.  magnitude; the sign goes its own way
    3.  number of leading zeros
    4.  shifted left until its highest one is bit 31
    5.  rounded to 24 significant bits (the carry may leave 2**24: as good, and still a 48-bit product)
    6.  product with the mantissa
    7.  in [2**46, 2**48), so that normalising it takes a shift of one or none
    8.  rounded to 24 significant bits
    9.  shifted to a fixed point. A shift beyond the range in which it makes a difference is replaced by
        the nearest one that gives 0, or at least 512, which no zero point brings back into int8.
    10. rounded to an integer
    11. sign and zero point
    12. clamp

    The lane free-runs, but without ``valid`` the total is cleared, so that an idle lane soon stops toggling.
    Every stage is one expression of the registers before it: short paths, and the fastest to simulate.

    Members
    -------
    valid : In, 1
        ``sum`` is to be requantised.
    sum : In, signed(accumulator_bits)
    parameters : In, ``PARAMETER_LAYOUT``
    zero_point, minimum, maximum : In, signed(8)
    result : Out, signed(8)
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "valid": In(1),
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

        def register(stage: int, value: Value, shape: ShapeLike, name: str) -> Signal:
            signal = Signal(shape, name=f"{name}_{stage}", reset_less=True)
            m.d.sync += signal.eq(value)
            return signal

        total = register(1, Mux(self.valid, self.sum + self.parameters.bias, 0), signed(TOTAL_BITS), "total")
        negative = Signal(9, reset_less=True)  # in stages 2 to 10
        m.d.sync += negative.eq(Cat(total < 0, negative))

        magnitude = register(2, Mux(total < 0, -total, total), TOTAL_BITS, "magnitude")
        leading = register(3, _leading_zeros(magnitude), range(TOTAL_BITS), "leading")
        waiting = register(3, magnitude, TOTAL_BITS, "magnitude")
        normal = register(4, waiting << leading, TOTAL_BITS, "normal")
        significant = register(
            5, _round_half_even(normal, TOTAL_BITS - SIGNIFICANT_BITS), SIGNIFICANT_BITS + 1, "significant"
        )
        product = register(6, significant * self.parameters.mantissa, 2 * SIGNIFICANT_BITS, "product")
        high = product[-1]
        normal_product = register(7, Mux(high, product, product << 1), 2 * SIGNIFICANT_BITS, "normal_product")
        rounded = register(8, _round_half_even(normal_product, SIGNIFICANT_BITS), SIGNIFICANT_BITS + 1, "rounded")

        # |total| is significant * 2**(8 - leading); with the scale's exponent that makes the left shift of stage 9 if
        # the product was below 2**47, and one more if not.
        shift = self.parameters.exponent - leading + (TOTAL_BITS - SIGNIFICANT_BITS + FRACTION_BITS)
        for stage in (4, 5, 6):
            shift = register(stage, shift, signed(9), "shift")
        shift = register(7, shift + high, signed(9), "shift")
        shift = register(8, _clamp(shift, 0, LARGEST_SHIFT), range(LARGEST_SHIFT + 1), "shift")

        fixed_point = register(9, rounded << shift, SIGNIFICANT_BITS + 1 + LARGEST_SHIFT, "fixed_point")
        integer = register(10, _round_half_even(fixed_point, FRACTION_BITS), LARGEST_SHIFT, "integer")
        offset = register(
            11, Mux(negative[-1], -integer, integer) + self.zero_point, signed(LARGEST_SHIFT + 2), "offset"
        )
        m.d.comb += self.result.eq(register(12, _clamp(offset, self.minimum, self.maximum), signed(8), "result"))
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
                lane.valid.eq(self.sums.valid),
                lane.sum.eq(self.sums.lanes[c]),
                lane.parameters.eq(self.parameters[c]),
                lane.zero_point.eq(self.zero_point),
                lane.minimum.eq(self.minimum),
                lane.maximum.eq(self.maximum),
                self.results.lanes[c].eq(lane.result),
            ]
        return m


def _leading_zeros(value: Value) -> Value:
    """Zeros before the highest one of a power of two of bits; one less than all for 0."""
    half = len(value) // 2
    if not half:
        return Const(0)
    low, high = value[:half], value[half:]
    return Mux(high != 0, _leading_zeros(high), half + _leading_zeros(low))


def _round_half_even(value: Value, dropped: int) -> Value:
    """The unsigned value without its ``dropped`` lowest bits; one bit wider than what remains, for the carry."""
    almost_half = (1 << dropped - 1) - 1
    return (value + almost_half + value[dropped])[dropped : len(value) + 1]


def _clamp(value: Value, low: ValueLike, high: ValueLike) -> Value:
    return Mux(value < low, low, Mux(value > high, high, value))
