"""Combination of results with another tensor: each column adds, or multiplies by, what its addend buffer holds."""

from __future__ import annotations

import enum

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import ADDITION_FRACTION_BITS, FACTOR_BITS, PRODUCT_FRACTION_BITS, Combining
from wingrid.hw.load.deep_memory import DeepMemory
from wingrid.hw.load.operand_buffers import BUFFER_ADDRESS_BITS
from wingrid.hw.store.requantiser import results_layout

LOW_BITS = 12
"""Factors are multiplied in two parts, this many bits below and the rest above: on every family a multiplier each, with
a register behind it, and no sum of several in one cycle."""

OFFSET_BITS = 32
TERM_BITS = 9
"""A byte less a zero point."""
PRODUCT_BITS = 17
"""Two terms multiplied are 255 * 255 at most."""
OFFSET_SHIFT = PRODUCT_FRACTION_BITS - ADDITION_FRACTION_BITS
"""Bits that a product with its factor has behind the point and a sum, and an offset, has not."""
TOTAL_BITS = PRODUCT_BITS + FACTOR_BITS
"""A product with its factor and an offset; two terms with theirs and an offset are less."""
KEPT_BITS = TOTAL_BITS - PRODUCT_FRACTION_BITS


class CombinationStage(enum.IntEnum):
    """Registers between a result and what it becomes, in order, each named after the value that it holds."""

    TERMS = 1
    """Result and addend, each less its zero point."""
    PRODUCT = enum.auto()
    """Of both; for a sum the result, times one."""
    SCALED = enum.auto()
    """That and the addend by their factors, below and above."""
    SUMS = enum.auto()
    """Of both, below and above."""
    OFFSET = enum.auto()
    """The lower sum with the offset."""
    TOTAL = enum.auto()
    ROUNDED = enum.auto()
    CLAMPED = enum.auto()


class Combination(wiring.Component):
    """Combines each result with a byte from the addend buffer: a residual connection or a gate on the way out.

    With r and a for the result and the byte less their zero points, what leaves is
    ``clamp(round((factor * r + addend_factor * a + offset) / 2**ADDITION_FRACTION_BITS))`` for a SUM, and for a PRODUCT
    ``clamp(round((factor * r * a + offset * 2**OFFSET_SHIFT) / 2**PRODUCT_FRACTION_BITS))``, both half to even.
    Results meet the buffer's entries in order, from ``base`` on, and addresses wrap at its depth; or all meet ``base``.
    One vector of results per cycle, with the same latency whatever is done to it.

    Members
    -------
    write_enable : In, 1
    write_address : In, BUFFER_ADDRESS_BITS
        Bits beyond the buffer's own address are ignored.
    write_data : In, 8 * bus_bytes
        A byte for each column, the lowest one for column 0.
    combination : In, Combining
        Results pass as they are with NONE.
    factor : In, signed(FACTOR_BITS)
    addend_factor : In, signed(FACTOR_BITS)
        For a SUM only.
    offset : In, signed(32)
    result_zero : In, signed(8)
    addend_zero : In, signed(8)
    base : In, 16
    broadcast : In, 1
        All results meet the same entry.
        These eight hold from the last cycle of ``rewind`` to an instruction's last result.
    rewind : In, 1
        The next result is the first one of an instruction. Low from a cycle before its ``coming`` on.
    coming : In, 1
        ``lead`` cycles before each ``input.valid``.
    input : In, ``results_layout(config)``
    output : Out, ``results_layout(config)``
        ``latency`` cycles after the input.
    """

    latency = len(CombinationStage)
    """Cycles from a result to what it becomes."""
    lead = DeepMemory.read_latency
    """Cycles that ``coming`` is ahead."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "write_enable": In(1),
                "write_address": In(BUFFER_ADDRESS_BITS),
                "write_data": In(8 * config.bus_bytes),
                "combination": In(Combining),
                "factor": In(signed(FACTOR_BITS)),
                "addend_factor": In(signed(FACTOR_BITS)),
                "offset": In(signed(OFFSET_BITS)),
                "result_zero": In(signed(8)),
                "addend_zero": In(signed(8)),
                "base": In(16),
                "broadcast": In(1),
                "rewind": In(1),
                "coming": In(1),
                "input": In(results_layout(config)),
                "output": Out(results_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        m.submodules.addends = addends = DeepMemory(8 * config.cols, config.addends)
        m.d.comb += [
            addends.write_enable.eq(self.write_enable),
            addends.write_address.eq(self.write_address),
            addends.write_data.eq(self.write_data),
            addends.read_enable.eq(self.coming),
        ]
        with m.If(self.rewind):
            m.d.sync += addends.read_address.eq(self.base)
        with m.Elif(self.coming & ~self.broadcast):
            m.d.sync += addends.read_address.eq(addends.read_address + 1)

        # To pass is to be multiplied by one: nothing goes past the adders. What is not combined is zero all the same:
        # an entry that nobody has filled is unknown to simulators of four states, and so would be its product with 0.
        factor = Signal.like(self.factor)
        addend_factor = Signal.like(self.addend_factor)
        offset = Signal(signed(OFFSET_BITS + OFFSET_SHIFT))
        result_zero = Signal.like(self.result_zero)
        addend_zero = Signal.like(self.addend_zero)
        combining = Signal()
        multiplying = Signal()
        passes, product = (self.combination == kind for kind in (Combining.NONE, Combining.PRODUCT))
        m.d.sync += [
            combining.eq(~passes),
            multiplying.eq(product),
            factor.eq(Mux(passes, 1 << ADDITION_FRACTION_BITS, self.factor)),
            addend_factor.eq(Mux(self.combination == Combining.SUM, self.addend_factor, 0)),
            offset.eq(Mux(passes, 0, Mux(product, self.offset << OFFSET_SHIFT, self.offset))),
            result_zero.eq(Mux(passes, 0, self.result_zero)),
            addend_zero.eq(Mux(passes, 0, self.addend_zero)),
        ]
        valid = Signal(self.latency)
        m.d.sync += valid.eq(Cat(self.input.valid, valid))
        m.d.comb += self.output.valid.eq(valid[-1])
        for column in range(config.cols):

            def register(name: str, bits: int, value: object, column: int = column) -> Signal:
                held = Signal(signed(bits), name=f"{name}_{column}", reset_less=True)
                m.d.sync += held.eq(value)
                return held

            result = register("result", TERM_BITS, self.input.lanes[column] - result_zero)
            read = addends.read_data.word_select(column, 8).as_signed()
            addend = register("addend", TERM_BITS, Mux(combining, read, 0) - addend_zero)
            chosen = register("product", PRODUCT_BITS, result * Mux(multiplying, addend, 1))
            addend = register("addend_kept", TERM_BITS, addend)
            low, high = [], []
            for name, term, scale in (("result", chosen, factor), ("addend", addend, addend_factor)):
                below, above = scale[:LOW_BITS], scale[LOW_BITS:].as_signed()
                low.append(register(f"{name}_low", LOW_BITS + len(term), below * term))
                high.append(register(f"{name}_high", len(above) + len(term), above * term))
            low_sum = register("low_sum", len(low[0]) + 1, low[0] + low[1])
            high_sum = register("high_sum", len(high[0]) + 1, high[0] + high[1])
            lower = register("lower", len(offset) + 1, low_sum + offset)
            upper = register("upper", len(high_sum), high_sum)
            total = register("total", TOTAL_BITS, lower + (upper << LOW_BITS))
            # Of a sum, what lies above as many bits as a product keeps is its sign.
            (kept, half, rest), (kept_sum, half_sum, rest_sum) = (
                (total[point : point + KEPT_BITS].as_signed(), total[point - 1], total[: point - 1].any())
                for point in (PRODUCT_FRACTION_BITS, ADDITION_FRACTION_BITS)
            )
            kept = Mux(multiplying, kept, kept_sum)
            half, rest = Mux(multiplying, half, half_sum), Mux(multiplying, rest, rest_sum)
            rounded = register("rounded", len(kept) + 1, kept + (half & (rest | kept[0])))
            clamped = register("clamped", 8, Mux(rounded < -128, -128, Mux(rounded > 127, 127, rounded)))
            m.d.comb += self.output.lanes[column].eq(clamped)
        return m
