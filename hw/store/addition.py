"""Addition of another tensor to results: each column adds what its addend buffer holds for a result."""

from __future__ import annotations

import enum

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import ADDITION_FACTOR_BITS, ADDITION_FRACTION_BITS
from wingrid.hw.load.deep_memory import DeepMemory
from wingrid.hw.load.operand_buffers import BUFFER_ADDRESS_BITS
from wingrid.hw.store.requantiser import results_layout

LOW_BITS = 12
"""Factors are multiplied in two parts, this many bits below and the rest above: on every family a multiplier each, with
a register behind it, and no sum of several in one cycle."""

OFFSET_BITS = 32
TOTAL_BITS = ADDITION_FACTOR_BITS + 8 + 1
"""Two products of a factor with a byte, and an offset that is less than either can be."""


class AdditionStage(enum.IntEnum):
    """Registers between a result and what it becomes, in order, each named after the value that it holds."""

    TERMS = 1
    """Result and addend."""
    PRODUCTS = enum.auto()
    SUMS = enum.auto()
    """Of both terms' products, below and above."""
    OFFSET = enum.auto()
    """The lower sum with the offset."""
    TOTAL = enum.auto()
    ROUNDED = enum.auto()
    CLAMPED = enum.auto()


class Addition(wiring.Component):
    """Adds a byte from the addend buffer to each result, both with factors: a residual connection on the way out.

    What leaves is ``clamp(round((factor * result + addend_factor * addend + offset) / 2**ADDITION_FRACTION_BITS))``,
    half to even. Results meet the buffer's entries in order, from ``base`` on;
    addresses wrap at its depth. One vector of results per cycle, with the same latency whether it is added to or not.

    Members
    -------
    write_enable : In, 1
    write_address : In, BUFFER_ADDRESS_BITS
        Bits beyond the buffer's own address are ignored.
    write_data : In, 8 * bus_bytes
        A byte for each column, the lowest one for column 0.
    addition : In, 1
        Else results pass as they are.
    factor : In, signed(ADDITION_FACTOR_BITS)
    addend_factor : In, signed(ADDITION_FACTOR_BITS)
    offset : In, signed(32)
    base : In, 16
        These five hold from the last cycle of ``rewind`` to an instruction's last result.
    rewind : In, 1
        The next result is the first one of an instruction. Low from a cycle before its ``coming`` on.
    coming : In, 1
        ``lead`` cycles before each ``input.valid``.
    input : In, ``results_layout(config)``
    output : Out, ``results_layout(config)``
        ``latency`` cycles after the input.
    """

    latency = len(AdditionStage)
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
                "addition": In(1),
                "factor": In(signed(ADDITION_FACTOR_BITS)),
                "addend_factor": In(signed(ADDITION_FACTOR_BITS)),
                "offset": In(signed(OFFSET_BITS)),
                "base": In(16),
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
        with m.Elif(self.coming):
            m.d.sync += addends.read_address.eq(addends.read_address + 1)

        # To pass is to be multiplied by one: nothing goes past the adders. What is not added is zero all the same: an
        # entry that nobody has filled is unknown to simulators of four states, and so would be its product with zero.
        factor = Signal.like(self.factor)
        addend_factor = Signal.like(self.addend_factor)
        offset = Signal.like(self.offset)
        adding = Signal()
        m.d.sync += [
            adding.eq(self.addition != 0),
            factor.eq(Mux(self.addition, self.factor, 1 << ADDITION_FRACTION_BITS)),
            addend_factor.eq(Mux(self.addition, self.addend_factor, 0)),
            offset.eq(Mux(self.addition, self.offset, 0)),
        ]
        valid = Signal(self.latency)
        m.d.sync += valid.eq(Cat(self.input.valid, valid))
        m.d.comb += self.output.valid.eq(valid[-1])
        for column in range(config.cols):

            def register(name: str, bits: int, value: object, column: int = column) -> Signal:
                held = Signal(signed(bits), name=f"{name}_{column}", reset_less=True)
                m.d.sync += held.eq(value)
                return held

            result = register("result", 8, self.input.lanes[column])
            addend = register("addend", 8, Mux(adding, addends.read_data.word_select(column, 8), 0))
            low, high = [], []
            for name, term, scale in (("result", result, factor), ("addend", addend, addend_factor)):
                below, above = scale[:LOW_BITS], scale[LOW_BITS:].as_signed()
                low.append(register(f"{name}_low", LOW_BITS + 8, below * term))
                high.append(register(f"{name}_high", len(above) + 8, above * term))
            low_sum = register("low_sum", LOW_BITS + 9, low[0] + low[1])
            high_sum = register("high_sum", len(high[0]) + 1, high[0] + high[1])
            lower = register("lower", OFFSET_BITS + 1, low_sum + offset)
            upper = register("upper", len(high_sum), high_sum)
            total = register("total", TOTAL_BITS, lower + (upper << LOW_BITS))
            half = ADDITION_FRACTION_BITS - 1
            kept = total[half + 1 :].as_signed()
            up = total[half] & (total[:half].any() | kept[0])
            rounded = register("rounded", len(kept) + 1, kept + up)
            clamped = register("clamped", 8, Mux(rounded < -128, -128, Mux(rounded > 127, 127, rounded)))
            m.d.comb += self.output.lanes[column].eq(clamped)
        return m
