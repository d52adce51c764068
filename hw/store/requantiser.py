"""From accumulators to int8, bit-identical to ONNX Runtime's float32 requantisation."""

from __future__ import annotations

import enum
from collections.abc import Callable

from amaranth.hdl import Array, Cat, Const, Module, Mux, ShapeLike, Signal, Value, ValueLike, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.layouts import PARAMETER_LAYOUT

TOTAL_BITS = 32
"""Width of an accumulator with its bias, as in ONNX's int32."""

SIGNIFICANT_BITS = 24
"""Precision of IEEE 754 binary32."""

FRACTION_BITS = SIGNIFICANT_BITS + 1
"""Fraction bits that the last shift starts from. With 25, a significand shifted by nothing is at most one half: it
gives 0."""

LARGEST_SHIFT = 11
"""2**23 << 11 is 512 with 25 fraction bits: outside of int8 whatever the zero point."""

COARSE_SHIFT_BITS = 2
"""The last shift goes by multiples of 2**2 first, and by what remains a cycle later."""


class Stage(enum.IntEnum):
    """Registers between a sum and its result, in order, each named after the value that it holds.

    Where bits are to be rounded off, one bit ("sticky") soon stands for all below the half: whether one is set.
    """

    TOTAL = 1
    MAGNITUDE = enum.auto()
    """The sign goes its own way."""
    LEADING_NIBBLES = enum.auto()
    """How many groups of four zeros come first."""
    NIBBLES_SHIFTED = enum.auto()
    """By multiples of four: the shift with more choices is the one that has zeros for many of them."""
    LEADING_BITS = enum.auto()
    """How many zeros come first in the highest four bits that have a one."""
    NORMALISED = enum.auto()
    """Shifted left until its highest one is bit 31."""
    SIGNIFICAND = enum.auto()
    """Rounded to 24 significant bits. A carry out of them leaves zeros: setting the highest bit makes that a
    significand again, and the exponent takes one more."""
    FACTORS = enum.auto()
    """What is multiplied: registers that a multiplier may take for its own."""
    PARTIAL_PRODUCTS = enum.auto()
    """Three products of half the width (Karatsuba and Ofman, 1962) in place of four."""
    TWO_SUMS = enum.auto()
    """What is taken from the products is taken from another one each, so that no sum has more than two terms."""
    PRODUCT = enum.auto()
    """The significand times the mantissa of the scale."""
    NORMALISED_PRODUCT = enum.auto()
    """The product lies in [2**46, 2**48), so that normalising it takes a shift of one or none."""
    ROUNDED = enum.auto()
    """The product rounded to 24 significant bits (the carry may leave 2**24: as good)."""
    COARSE = enum.auto()
    """Shifted by a multiple of four. A shift beyond the range in which it makes a difference is replaced by the nearest
    one that gives 0, or at least 512, which no zero point brings back into int8."""
    FIXED_POINT = enum.auto()
    """Shifted by what remains."""
    INTEGER = enum.auto()
    """The fixed point number rounded."""
    OFFSET = enum.auto()
    """With its sign, and the zero point added."""
    RESULT = enum.auto()
    """Clamped."""


Register = Callable[[Stage, ValueLike, ShapeLike, str], Signal]
"""Puts a value into a register of a stage."""


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

        def register(stage: Stage, value: ValueLike, shape: ShapeLike, name: str) -> Signal:
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
        nibbles = Cat(magnitude[place : place + 4].any() for place in range(0, TOTAL_BITS, 4))
        nibble = register(Stage.LEADING_NIBBLES, _leading_zeros(nibbles), range(TOTAL_BITS // 4), "nibble")
        waiting = carried(magnitude, Stage.MAGNITUDE, Stage.NIBBLES_SHIFTED, "magnitude")
        shifted = register(Stage.NIBBLES_SHIFTED, waiting << (nibble << 2), TOTAL_BITS, "nibbles_shifted")
        bit = register(Stage.LEADING_BITS, _leading_zeros(shifted[-4:]), range(4), "bit")
        waiting = carried(shifted, Stage.NIBBLES_SHIFTED, Stage.NORMALISED, "nibbles_shifted")
        normal = register(Stage.NORMALISED, waiting << bit, TOTAL_BITS, "normal")
        nibble = carried(nibble, Stage.LEADING_NIBBLES, Stage.NORMALISED, "nibble")
        leading = register(Stage.NORMALISED, Cat(bit, nibble), range(TOTAL_BITS), "leading")

        rounded_total = Signal(SIGNIFICANT_BITS + 1)
        m.d.comb += rounded_total.eq(_round_half_even(normal, TOTAL_BITS - SIGNIFICANT_BITS))
        rest, highest, carry = rounded_total[:-2], rounded_total[-2], rounded_total[-1]
        significand = register(Stage.SIGNIFICAND, Cat(rest, highest | carry), SIGNIFICANT_BITS, "significand")
        carry = register(Stage.SIGNIFICAND, carry, 1, "carry")
        product = self._multiply(register, significand)
        # Normalised, with a bit for the half and the sticky one.
        high = product[-1]
        below = SIGNIFICANT_BITS - 2
        normal_product = Mux(
            high,
            Cat(product[: below + 1].any(), product[below + 1 :]),
            Cat(product[:below].any(), product[below:-1]),
        )
        normal_product = register(Stage.NORMALISED_PRODUCT, normal_product, SIGNIFICANT_BITS + 2, "normal_product")
        rounded = register(Stage.ROUNDED, _round_half_even(normal_product, 2), SIGNIFICANT_BITS + 1, "rounded")

        # |total| is significand * 2**(8 - leading); with the scale's exponent that makes the left shift to the fixed
        # point if the product was below 2**47, and one more if not. Only the range that makes a difference is kept,
        # from -1 on, as one more than it stands for.
        shift = self.parameters.exponent - leading + (TOTAL_BITS - SIGNIFICANT_BITS + FRACTION_BITS + 1)
        shift = register(Stage.SIGNIFICAND, shift, signed(9), "shift")
        shift = register(Stage.FACTORS, shift + carry, signed(9), "shift")
        limited = _clamp(shift, 0, LARGEST_SHIFT + 1)
        shift = register(Stage.PARTIAL_PRODUCTS, limited, range(LARGEST_SHIFT + 2), "shift")
        shift = carried(shift, Stage.PARTIAL_PRODUCTS, Stage.PRODUCT, "shift")
        # For a product below 2**47, and for another one: the highest bit has many to choose for as it is. From tables,
        # a look-up table a bit, where an adder would take a carry chain.
        shifts = [
            register(Stage.PRODUCT, Array(table)[shift], range(LARGEST_SHIFT + 1), name)
            for table, name in ((_bounded(0), "shift"), (_bounded(1), "larger_shift"))
        ]
        shift = register(Stage.NORMALISED_PRODUCT, Mux(high, shifts[1], shifts[0]), range(LARGEST_SHIFT + 1), "shift")
        shift = carried(shift, Stage.NORMALISED_PRODUCT, Stage.COARSE, "shift")

        # Below the half stay as many bits as the fine shift brings up, and the sticky one.
        sticky_bits = FRACTION_BITS - (1 << COARSE_SHIFT_BITS)
        places = [step << COARSE_SHIFT_BITS for step in range((LARGEST_SHIFT >> COARSE_SHIFT_BITS) + 1)]
        coarse = Array(
            Cat((rounded << place)[:sticky_bits].any(), (rounded << place)[sticky_bits:]) for place in places
        )[shift[COARSE_SHIFT_BITS:]]
        fixed_bits = 1 + FRACTION_BITS - sticky_bits + LARGEST_SHIFT
        coarse = register(Stage.COARSE, coarse, fixed_bits, "coarse")
        fine = register(Stage.COARSE, shift[:COARSE_SHIFT_BITS], COARSE_SHIFT_BITS, "fine")
        fixed_point = register(Stage.FIXED_POINT, coarse << fine, fixed_bits, "fixed_point")
        integer = _round_half_even(fixed_point, fixed_bits - LARGEST_SHIFT)
        integer = register(Stage.INTEGER, integer, LARGEST_SHIFT, "integer")
        offset = Mux(negative[-1], -integer, integer) + self.zero_point
        offset = register(Stage.OFFSET, offset, signed(LARGEST_SHIFT + 2), "offset")
        result = register(Stage.RESULT, _clamp(offset, self.minimum, self.maximum), signed(8), "result")
        m.d.comb += self.result.eq(result)
        return m

    def _multiply(self, register: Register, significand: Signal) -> Signal:
        """Significand times mantissa, in ``Stage.PRODUCT``.

        With halves a, b and c, d, ad + bc is (a + b)(c + d) - ac - bd: three multipliers of 13 bits at most, on every
        family. Of these, bd is taken from the product of sums, and ac, with the weight of the middle, from where it
        stands itself: neither falls below zero. 17 and 7 bits of the mantissa apart would be two blocks of 25 x 18
        bits, but four of 18 x 18 and a longer path.
        """
        half = SIGNIFICANT_BITS // 2
        mantissa = self.parameters.mantissa
        low, high = significand[:half], significand[half:]
        # The parameters hold still, but a multiplier wants both factors in registers of its own.
        scale = register(Stage.FACTORS, mantissa, SIGNIFICANT_BITS, "scale")
        scale_halves = register(Stage.FACTORS, mantissa[:half] + mantissa[half:], half + 1, "scale_halves")
        factor = register(Stage.FACTORS, significand, SIGNIFICANT_BITS, "factor")
        halves = register(Stage.FACTORS, low + high, half + 1, "halves")
        lows = register(Stage.PARTIAL_PRODUCTS, factor[:half] * scale[:half], 2 * half, "lows")
        highs = register(Stage.PARTIAL_PRODUCTS, factor[half:] * scale[half:], 2 * half, "highs")
        both = register(Stage.PARTIAL_PRODUCTS, halves * scale_halves, 2 * half + 2, "both")
        middle = register(Stage.TWO_SUMS, both - lows, 2 * half + 2, "middle")
        outer = Cat(lows[:half], Cat(lows[half:], highs) - highs)
        outer = register(Stage.TWO_SUMS, outer, 2 * SIGNIFICANT_BITS, "outer")
        # The lowest half is there already.
        upper = outer[half:] + middle
        return register(Stage.PRODUCT, Cat(outer[:half], upper), 2 * SIGNIFICANT_BITS, "product")


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
    half, below, kept = value[dropped - 1], value[: dropped - 1], value[dropped:]
    return kept + (half & (below.any() | kept[0]))


def _bounded(larger: int) -> list[int]:
    """What a limited shift, one more than it stands for, makes of a product: the shift from 0 to the largest one."""
    return [min(max(shift + larger, 1), LARGEST_SHIFT + 1) - 1 for shift in range(LARGEST_SHIFT + 2)]


def _clamp(value: Value, low: ValueLike, high: ValueLike) -> Value:
    return Mux(value < low, low, Mux(value > high, high, value))
