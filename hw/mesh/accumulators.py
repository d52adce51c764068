"""Two banks of accumulators: sums are added to one while the other drains."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.matrix_unit import sums_layout
from wingrid.hw.ram_style import RamStyle


def accumulator_tag(config: AcceleratorConfig) -> data.StructLayout:
    """Where a vector's sums go: ``accumulate`` 0 overwrites, ``last`` asks for ``Accumulators.committed``."""
    return data.StructLayout({"bank": 1, "address": range(config.accumulators), "accumulate": 1, "last": 1})


class Accumulators(wiring.Component):
    """Add incoming sums to the accumulators that their tags name; read accumulators out for draining.

    Each bank is one memory with one read and one write port, and takes one vector of sums per cycle: read
    in the cycle of the sum, added and written ``latency`` cycles later, modulo ``2**accumulator_bits``.
    A read in the cycle of a write to the same accumulator gets what is being written, so sums for one
    accumulator may follow each other in any cycles.

    The bank's read port belongs to the sums whenever one touches that bank; a drain of the same bank in the
    same cycle gets nothing useful and raises ``conflict``. Sums and drain of different banks are independent.

    Members
    -------
    sums : In, ``sums_layout(config, accumulator_tag(config))``
        Sums to add or to begin with. No back-pressure.
    committed : Out, 1
        A sum tagged ``last`` is being written: a drain in any later cycle sees it and all sums before it.
    read_enable : In, 1
        An accumulator is drained.
    read_bank : In, 1
    read_address : In, range(accumulators)
    read_lanes : Out, cols x signed(accumulator_bits)
        One cycle after ``read_enable``.
    conflict : Out, 1
        In this cycle ``read_enable`` and a sum meet in one bank.
    """

    latency = 1
    """Cycles from a sum to the cycle in which it is written; the cycle after reads the new value."""
    read_latency = 1
    """Cycles from ``read_enable`` to ``read_lanes``."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._lanes = data.ArrayLayout(signed(config.accumulator_bits), config.cols)
        super().__init__(
            {
                "sums": In(sums_layout(config, accumulator_tag(config))),
                "committed": Out(1),
                "read_enable": In(1),
                "read_bank": In(1),
                "read_address": In(range(config.accumulators)),
                "read_lanes": Out(self._lanes),
                "conflict": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sums = self.sums
        valid = Signal()
        incoming = Signal(sums.shape(), reset_less=True)
        m.d.sync += valid.eq(sums.valid)
        with m.If(sums.valid):
            m.d.sync += incoming.eq(sums)

        old = Signal(self._lanes)
        new = Signal(self._lanes)
        for c in range(self._config.cols):
            m.d.comb += new[c].eq(Mux(incoming.tag.accumulate, old[c], 0) + incoming.lanes[c])

        drained_bank = Signal(reset_less=True)
        with m.If(self.read_enable):
            m.d.sync += drained_bank.eq(self.read_bank)

        banks: list[Value] = []
        for bank in range(2):
            memory = Memory(
                shape=self._lanes, depth=self._config.accumulators, init=[], attrs=RamStyle.BLOCK.attributes
            )
            m.submodules[f"bank_{bank}"] = memory
            write = memory.write_port()
            read = memory.read_port()
            touched = Signal(name=f"touched_{bank}")
            drained = Signal(name=f"drained_{bank}")
            m.d.comb += [
                touched.eq(sums.valid & (sums.tag.bank == bank)),
                drained.eq(self.read_enable & (self.read_bank == bank)),
                read.addr.eq(Mux(touched, sums.tag.address, self.read_address)),
                read.en.eq(touched | drained),
                write.addr.eq(incoming.tag.address),
                write.data.eq(new),
                write.en.eq(valid & (incoming.tag.bank == bank)),
            ]
            # What is written while it is read comes from beside the memory: memories differ in what they read then.
            met, bypass = Signal(name=f"met_{bank}"), Signal(self._lanes, name=f"bypass_{bank}", reset_less=True)
            with m.If(read.en):
                m.d.sync += [met.eq(write.en & (write.addr == read.addr)), bypass.eq(new)]
            banks.append(Mux(met, bypass.as_value(), read.data.as_value()))
            with m.If(touched & drained):
                m.d.comb += self.conflict.eq(1)

        m.d.comb += [
            old.as_value().eq(Mux(incoming.tag.bank, banks[1], banks[0])),
            self.read_lanes.as_value().eq(Mux(drained_bank, banks[1], banks[0])),
            self.committed.eq(valid & incoming.tag.last),
        ]
        return m
