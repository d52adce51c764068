"""From accumulators to int8, bit-identical to ONNX Runtime's float32 requantisation."""

from __future__ import annotations

import enum

from amaranth.hdl import Cat, Const, Module, Mux, ShapeLike, Signal, Value, ValueLike, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import PARAMETER_LAYOUT

TOTAL_BITS = 32
"""Width of an accumulator with its bias, as in ONNX's int32."""

SIGNIFICANT_BITS = 24
"""Precision of IEEE 754 binary32."""

FRACTION_BITS = SIGNIFICANT_BITS + 1
"""Fraction bits kept by the last shift. With 25, a significand shifted by nothing is at most one half: it gives 0."""

LARGEST_SHIFT = 11
"""2**23 << 11 is 512 with 25 fraction bits: outside of int8 whatever the zero point."""


class Stage(enum.IntEnum):
    """Registers between a sum and its result, in order, each named after the value that it holds."""

    TOTAL = 1
    MAGNITUDE = enum.auto()
    """The sign goes its own way."""
    LEADING_ZEROS = enum.auto()
    NORMALISED = enum.auto()
    """Shifted left until its highest one is bit 31."""
    SIGNIFICAND = enum.auto()
    """Rounded to 24 significant bits (the carry may leave 2**24: as good, and still a 48-bit product)."""
    PRODUCT = enum.auto()
    """The significand times the mantissa of the scale."""
    NORMALISED_PRODUCT = enum.auto()
    """The product lies in [2**46, 2**48), so that normalising it takes a shift of one or none."""
    ROUNDED = enum.auto()
    """The product rounded to 24 significant bits."""
    FIXED_POINT = enum.auto()
    """A shift beyond the range in which it makes a difference is replaced by the nearest one that gives 0, or at least
    512, which no zero point brings back into int8."""
    INTEGER = enum.auto()
    """The fixed point number rounded."""
    OFFSET = enum.auto()
    """With its sign, and the zero point added."""
    RESULT = enum.auto()
    """Clamped."""


def drained_layout(config: AcceleratorConfig) -> data.StructLayout:
    """A vector of output channels as it comes out of the accumulators."""
    return data.StructLayout({"valid": 1, "lanes": data.ArrayLayout(signed(config.accumulator_bits), config.cols)})


def results_layout(config: AcceleratorConfig) -> data.StructLayout:
    """A vector of output channels as it goes to memory."""
    return data.StructLayout({"valid": 1, "lanes": data.ArrayLayout(signed(8), config.cols)})


class RequantiserLane(wiring.Component):
    """Requantise one output channel: ``clamp(round(f32(f32(total) * scale)) + zero_point)`` in integers.

    total is the low 32 bits of ``sum + bias``, scale is ``mantissa * 2**(exponent - 23)`` with mantissa
    in [2**23, 2**24) or 0. Every rounding is half to even. ``Stage`` lists the steps.

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

        def register(stage: Stage, value: Value, shape: ShapeLike, name: str) -> Signal:
            signal = Signal(shape, name=f"{name}_{stage.value}", reset_less=True)
            m.d.sync += signal.eq(value)
            return signal

        def carried(value: Signal, held: Stage, wanted: Stage, name: str) -> Signal:
            """What one stage holds, delayed to the moment at which another one takes it."""
            for stage in Stage:
                if held < stage < wanted:
                    value = register(stage, value, value.shape(), name)
            return value

        total = register(Stage.TOTAL, Mux(self.valid, self.sum + self.parameters.bias, 0), signed(TOTAL_BITS), "total")
        # One bit for each stage between; cheaper to simulate than bits apart.
        negative = Signal(Stage.OFFSET - Stage.TOTAL - 1, reset_less=True)
        m.d.sync += negative.eq(Cat(total < 0, negative))

        magnitude = register(Stage.MAGNITUDE, Mux(total < 0, -total, total), TOTAL_BITS, "magnitude")
        leading = register(Stage.LEADING_ZEROS, _leading_zeros(magnitude), range(TOTAL_BITS), "leading")
        waiting = carried(magnitude, Stage.MAGNITUDE, Stage.NORMALISED, "magnitude")
        normal = register(Stage.NORMALISED, waiting << leading, TOTAL_BITS, "normal")
        significand = _round_half_even(normal, TOTAL_BITS - SIGNIFICANT_BITS)
        significand = register(Stage.SIGNIFICAND, significand, SIGNIFICANT_BITS + 1, "significant")
        product = register(Stage.PRODUCT, significand * self.parameters.mantissa, 2 * SIGNIFICANT_BITS, "product")
        high = product[-1]
        normal_product = Mux(high, product, product << 1)
        normal_product = register(Stage.NORMALISED_PRODUCT, normal_product, 2 * SIGNIFICANT_BITS, "normal_product")
        rounded = _round_half_even(normal_product, SIGNIFICANT_BITS)
        rounded = register(Stage.ROUNDED, rounded, SIGNIFICANT_BITS + 1, "rounded")

        # |total| is significand * 2**(8 - leading); with the scale's exponent that makes the left shift to the fixed
        # point if the product was below 2**47, and one more if not.
        shift = self.parameters.exponent - leading + (TOTAL_BITS - SIGNIFICANT_BITS + FRACTION_BITS)
        shift = register(Stage.NORMALISED, shift, signed(9), "shift")
        shift = carried(shift, Stage.NORMALISED, Stage.NORMALISED_PRODUCT, "shift")
        shift = register(Stage.NORMALISED_PRODUCT, shift + high, signed(9), "shift")
        shift = carried(shift, Stage.NORMALISED_PRODUCT, Stage.ROUNDED, "shift")
        shift = register(Stage.ROUNDED, _clamp(shift, 0, LARGEST_SHIFT), range(LARGEST_SHIFT + 1), "shift")
        shift = carried(shift, Stage.ROUNDED, Stage.FIXED_POINT, "shift")

        fixed_point = register(Stage.FIXED_POINT, rounded << shift, SIGNIFICANT_BITS + 1 + LARGEST_SHIFT, "fixed_point")
        integer = register(Stage.INTEGER, _round_half_even(fixed_point, FRACTION_BITS), LARGEST_SHIFT, "integer")
        offset = Mux(negative[-1], -integer, integer) + self.zero_point
        offset = register(Stage.OFFSET, offset, signed(LARGEST_SHIFT + 2), "offset")
        result = register(Stage.RESULT, _clamp(offset, self.minimum, self.maximum), signed(8), "result")
        m.d.comb += self.result.eq(result)
        return m


class Requantiser(wiring.Component):
    """Requantise a vector of sums per cycle, each lane with its own channel's parameters.

    No back-pressure; results leave in order, ``latency`` cycles after their sums. ``parameters``,
    ``zero_point``, ``minimum`` and ``maximum`` are used in different stages and not delayed: they must hold
    still from the cycle of a vector's sums until the cycle of its results, and may change at once afterwards.

    Members
    -------
    sums : In, ``drained_layout(config)``
    parameters : In, cols x ``PARAMETER_LAYOUT``
    zero_point, minimum, maximum : In, signed(8)
        With minimum > maximum, minimum wins.
    results : Out, ``results_layout(config)``
    """

    latency = len(Stage)
    """Cycles from sums to results."""

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

    def elaborate(self, platform: object) -> Module:
        m = Module()
        valid = Signal(self.latency)
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
