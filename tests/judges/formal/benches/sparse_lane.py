"""What is proved about a lane that walks through a stream of non-zero weights."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from benches.row_collector import LANES
from rules import Bench

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import LARGEST_CODEBOOK, SPARSE_FORMATS, SPARSE_WINDOW, SparseFormat
from wingrid.hw.sparse.sparse_lane import SparseLane


class SparseLaneBench(Bench):
    """Any bytes in any format, of runs that begin at any time, and sums that are taken whenever one waits."""

    rules: ClassVar = {
        "waits": "a sum waits from row_latency cycles after its row's last byte on, until it is taken or a run begins",
        "overflow": "a row that ends while the window is full and nothing is taken overflows, and no other does",
        "clears": "a run that begins clears the lane, once and at no other time",
        "position": "the address is that of the position that gaps lead to, and the first one again behind a row's end",
    }
    witnesses: ClassVar = {
        "full": "the window was full, and a sum was taken while a row ended",
        "overflown": "the window overflowed",
        "literal": "a row of int8 ended",
        "forgotten": "a run began while sums waited",
    }

    def __init__(self, config: AcceleratorConfig = LANES) -> None:
        self.config = config
        places = (LARGEST_CODEBOOK - 1).bit_length()
        super().__init__(
            {
                "code": 8, "run_begins": 1, "value": 1, "place": places, "gap": 1, "moves": 1, "form": 3,
                "first": (config.input_buffer - 1).bit_length(), "taking": 1,
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.begin(m)
        m.submodules.device = device = SparseLane(self.config)
        taken = Signal.like(device.taken)
        m.d.comb += [
            device.entry.eq(self.code),
            device.begin.eq(self.run_begins),
            device.loads_value.eq(self.value),
            device.codebook_place.eq(self.place),
            device.loads_gap.eq(self.gap),
            device.steps.eq(self.moves),
            Value.cast(device.format).eq(self.form),
            device.before.eq(self.first),
            device.taken.eq(taken),
            device.takes.eq(self.taking),
        ]
        self.assume((self.value + self.gap + self.moves) <= 1)
        self.assume(~(self.run_begins & self.moves))
        self.assume(Cat(self.form == form for form in SPARSE_FORMATS).any())
        self.assume(~self.taking | device.waits)
        with m.If(device.clears):
            m.d.sync += taken.eq(0)
        with m.Elif(self.taking):
            m.d.sync += taken.eq(taken + 1)

        ends, distance = self._meaning(m)
        latency = SparseLane.row_latency - 1
        ended, begun = Signal(latency), Signal(latency)
        m.d.sync += [ended.eq(Cat(ends, ended)), begun.eq(Cat(self.run_begins, begun))]
        held = Signal(range(SPARSE_WINDOW + 1))
        # Beyond its window a lane is a fault, and what it holds is of no use until the next run.
        lost = Signal()
        full = held == SPARSE_WINDOW
        overflows = ended[-1] & full & ~self.taking
        m.d.sync += held.eq(held + (ended[-1] & ~overflows) - self.taking)
        with m.If(overflows):
            m.d.sync += lost.eq(1)
        with m.If(begun[-1]):
            m.d.sync += [held.eq(0), lost.eq(0)]
        position = Signal.like(device.address)
        placed = Signal()
        with m.If(self.run_begins | ends):
            m.d.sync += [position.eq(self.first), placed.eq(1)]
        with m.Elif(self.moves):
            m.d.sync += position.eq(position + distance)

        self.rule(m, "waits", lost | (device.waits == (held != 0)))
        self.rule(m, "overflow", lost | (device.overflow == overflows))
        self.rule(m, "clears", device.clears == begun[-1])
        self.rule(m, "position", ~placed | (device.address == position))
        self.witness(m, "full", full & self.taking & ended[-1])
        self.witness(m, "overflown", device.overflow)
        self.witness(m, "literal", ends & (self.form == SparseFormat.LITERAL))
        self.witness(m, "forgotten", begun[-1] & (held > 1))
        self.conclude(m)
        return m

    def _meaning(self, m: Module) -> tuple[Value, Value]:
        """Whether the byte ends a row, and otherwise how far it leads, as the instruction set says."""
        gap_before = Signal(8)
        with m.If(self.gap):
            m.d.sync += gap_before.eq(self.code)
        last, distance = Signal(), Signal(10)
        with m.Switch(self.form):
            for form in SPARSE_FORMATS:
                with m.Case(form):
                    if form is SparseFormat.LITERAL:
                        gap, valueless, skipped = gap_before, self.code == 0, 1
                    else:
                        gap = self.code >> form.value_bits
                        valueless, skipped = (self.code & (1 << form.value_bits) - 1) == 0, 1 << form.gap_bits
                    most = (1 << form.gap_bits) - 1
                    m.d.comb += [
                        last.eq(valueless & (gap == most)),
                        distance.eq(Mux(valueless, skipped * (gap + 1), gap + 1)),
                    ]
        return self.moves & last, distance
