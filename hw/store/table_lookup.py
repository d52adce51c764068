"""Tables behind requantisation: each result is replaced by what a table has for it."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import TABLE_ENTRIES, AcceleratorConfig
from wingrid.hw.load.deep_memory import DeepMemory
from wingrid.hw.load.operand_buffers import BUFFER_ADDRESS_BITS
from wingrid.hw.store.requantiser import results_layout


class TableLookup(wiring.Component):
    """Looks each result up in a table of its column, or passes it on.

    Every column has a memory of its own, as each reads another entry: ``tables`` tables of 256 bytes, entry i of which
    is for the result whose bits, as an unsigned number, are i. A register stands before each memory and one behind it.
    One vector of results per cycle, with the same latency whether it is looked up or not.

    Members
    -------
    write_enable : In, 1
    write_address : In, BUFFER_ADDRESS_BITS
        Entry i of table t is at 256 * t + i; bits beyond that are ignored.
    write_data : In, 8 * bus_bytes
        A byte for each column, the lowest one for column 0.
    table : In, 16
        0 passes results on, t looks them up in table t - 1. Holds from an instruction's first result to its last.
    input : In, ``results_layout(config)``
    output : Out, ``results_layout(config)``
        ``latency`` cycles after the input.
    """

    latency = 1 + DeepMemory.read_latency
    """Cycles from a result to what the table has for it."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "write_enable": In(1),
                "write_address": In(BUFFER_ADDRESS_BITS),
                "write_data": In(8 * config.bus_bytes),
                "table": In(16),
                "input": In(results_layout(config)),
                "output": Out(results_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        valid = Signal(self.latency)
        passed = self.input.lanes
        for stage in range(self.latency):
            held = Signal.like(self.input.lanes, name=f"passed_{stage}", reset_less=True)
            m.d.sync += held.eq(passed)
            passed = held
        looks_up = Signal()
        number = Signal(range(config.tables))
        m.d.sync += [
            valid.eq(Cat(self.input.valid, valid)),
            looks_up.eq(self.table != 0),
            number.eq(self.table - 1),
        ]
        m.d.comb += self.output.valid.eq(valid[-1])
        for column in range(config.cols):
            m.submodules[f"column_{column}"] = memory = DeepMemory(8, config.table_entries)
            byte = Signal(range(TABLE_ENTRIES), name=f"byte_{column}", reset_less=True)
            m.d.sync += byte.eq(self.input.lanes[column])
            m.d.comb += [
                memory.write_enable.eq(self.write_enable),
                memory.write_address.eq(self.write_address),
                memory.write_data.eq(self.write_data.word_select(column, 8)),
                memory.read_enable.eq(1),
                memory.read_address.eq(Cat(byte, number)),
                self.output.lanes[column].eq(Mux(looks_up, memory.read_data, passed[column].as_unsigned())),
            ]
        return m
