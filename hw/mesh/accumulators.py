"""Two banks of accumulators: sums are added to one while the other drains."""

from __future__ import annotations

import itertools

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.copies import copies
from wingrid.hw.mesh.matrix_unit import sums_layout
from wingrid.hw.ram_style import RamStyle


def accumulator_tag(config: AcceleratorConfig) -> data.StructLayout:
    """Where a vector's sums go: ``accumulate`` 0 overwrites, ``last`` asks for ``Accumulators.committed``."""
    return data.StructLayout({"bank": 1, "address": range(config.accumulators), "accumulate": 1, "last": 1})


class Accumulators(wiring.Component):
    """Add incoming sums to the accumulators that their tags name; read accumulators out for draining.

    Each bank is one memory with one read and one write port, and takes one vector of sums per cycle, modulo
    ``2**accumulator_bits``:

    0. a sum is here, and its accumulator's address at the memory,
    1. the memory reads,
    2. its output register is added to,
    3. the total is written.

    A sum misses those that come up to ``latency`` cycles before it. The matrix unit keeps two sums for one accumulator
    at least ``rows`` cycles apart, so only arrays of fewer rows than that have registers that forward what is not in
    memory yet. ``conflict`` watches over it: two EXECUTEs in a row whose accumulators overlap, but begin at different
    ones, might break it.

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
        ``read_latency`` cycles after ``read_enable``.
    conflict : Out, 1
        In this cycle ``read_enable`` and a sum meet in one bank, or a sum came in the cycle before that is to be added
        to another one for the same accumulator, less than ``rows`` cycles older.
    """

    latency = 3
    """Cycles from a sum to the cycle in which it is written; the cycle after reads the new value."""
    read_latency = 2
    """Cycles from ``read_enable`` to ``read_lanes``: the memory and its output register."""

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
        rows, cols = self._config.rows, self._config.cols
        # What entered 0, 1, ... cycles ago, until it is written; tags for one more cycle, to be compared with.
        valid = Signal(self.latency + 1)
        m.d.sync += valid.eq(Cat(self.sums.valid, valid))
        valids = [self.sums.valid, *valid]
        tags = _delayed(m, self.sums.tag, self.latency + 1, "tag")
        lanes = _delayed(m, self.sums.lanes, self.latency - 1, "lanes")

        # In the cycle after it entered, whether a sum is for the accumulator of the one that came so long before it.
        repeats = [
            tags[1].accumulate
            & valids[1 + distance]
            & (Cat(tags[1].bank, tags[1].address) == Cat(tags[1 + distance].bank, tags[1 + distance].address))
            for distance in range(1, self.latency + 1)
        ]
        too_near, forwarded = Cat(repeats[: rows - 1]), Cat(repeats[rows - 1 :])
        from_memory = tags[1].accumulate & ~forwarded.any()
        # What each lane's choice says where there is no sum: were it the same for all, tools would make one register of
        # them.
        others = list(itertools.islice(itertools.cycle([Const(0), Const(1), *tags[1].address]), cols))

        total = Signal(self._lanes, reset_less=True)
        old: Value = self._forward(m, total, forwarded)
        drained: list[Value] = []
        drained_bank = Signal(self.read_latency - 1, reset_less=True)
        m.d.sync += drained_bank.eq(Cat(self.read_bank, drained_bank))
        above = copies(m, "drains_above", drained_bank[-1], cols)
        meet = Signal()
        for bank in range(2):
            memory = Memory(
                shape=self._lanes, depth=self._config.accumulators, init=[], attrs=RamStyle.BLOCK.without_bypass
            )
            m.submodules[f"bank_{bank}"] = memory
            write = memory.write_port()
            read = memory.read_port()
            touches = Signal(name=f"touches_{bank}")
            drains = Signal(name=f"drains_{bank}")
            writes = Signal(name=f"writes_{bank}")
            output = Signal(len(write.data.as_value()), name=f"output_{bank}", reset_less=True)
            # One for each lane, as a wire to all of them is long.
            chosen = Signal(cols, name=f"chosen_{bank}", reset_less=True)
            chooses = from_memory & (tags[1].bank == bank)
            m.d.comb += [
                touches.eq(self.sums.valid & (self.sums.tag.bank == bank)),
                drains.eq(self.read_enable & (self.read_bank == bank)),
                read.addr.eq(Mux(touches, self.sums.tag.address, self.read_address)),
                # The drain's bank is read whether or not it drains, which is known late.
                read.en.eq(touches | (self.read_bank == bank)),
                write.addr.eq(tags[self.latency].address),
                write.data.eq(total),
                write.en.eq(writes),
            ]
            m.d.sync += [
                output.eq(read.data),
                chosen.eq(Cat(chooses | (~valids[1] & other) for other in others)),
                writes.eq(valids[self.latency - 1] & (tags[self.latency - 1].bank == bank)),
            ]
            old |= output & Cat(bit.replicate(len(output) // cols) for bit in chosen)
            drained.append(output)
            with m.If(touches & drains):
                m.d.comb += meet.eq(1)

        operand = Signal(self._lanes)
        m.d.comb += operand.as_value().eq(old)
        for c in range(cols):
            m.d.sync += total[c].eq(operand[c] + lanes[-1][c])
        lane_bits = len(operand.as_value()) // cols
        for c in range(cols):
            lower, upper = (bank.word_select(c, lane_bits) for bank in drained)
            m.d.comb += self.read_lanes[c].eq(Mux(above[c], upper, lower).as_signed())
        m.d.comb += [
            self.committed.eq(valids[self.latency] & tags[self.latency].last),
            self.conflict.eq(meet | (valids[1] & too_near.any())),
        ]
        return m

    def _forward(self, m: Module, total: data.View, repeats: Value) -> Value:
        """The total that the memory does not hold yet, a cycle after ``repeats`` says that there is one; else 0.

        A bit each for the sum ``rows``, ``rows`` + 1, ... cycles ago; the nearest counts.
        """
        value: Value = Const(0, len(Value.cast(total)))
        if not len(repeats):
            return value
        rows = self._config.rows
        past = _delayed(m, total, 1, "total")
        for distance in reversed(range(rows, self.latency + 1)):
            # That sum entered ``distance`` + 1 cycles ago.
            value = Mux(repeats[distance - rows], past[distance + 1 - self.latency].as_value(), value)
        forwarded = Signal(len(value), reset_less=True)
        m.d.sync += forwarded.eq(value)
        return forwarded


def _delayed(m: Module, value: data.View, cycles: int, name: str) -> list[data.View]:
    """The value now, and as it was up to that many cycles ago."""
    past = [value]
    for cycle in range(1, cycles + 1):
        register = Signal(value.shape(), name=f"{name}_{cycle}", reset_less=True)
        m.d.sync += register.eq(past[-1])
        past.append(register)
    return past
