"""Winograd's weight transform U = G g G^t: raw 3x3 weight tiles in, transformed tiles out."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.matrix_unit import PAYLOAD_LATENCY, weights_layout
from wingrid.hw.ram_style import RamStyle
from wingrid.hw.tally import tally
from wingrid.hw.winograd.weight_lane import LINE, WeightLane
from wingrid.hw.winograd_matrices import KERNEL, winograd


class WeightTransform(wiring.Component):
    """Transform the weight tiles of a 3x3 kernel on their way to the mesh.

    A raw tile is nine weight tiles of the direct algorithm as they lie in the weight buffer: taps (ky, kx) with
    kx running fastest, each ``rows`` transfers of ``cols`` int8, last row first. It leaves as n x n tiles of
    transformed weights ``U[i][j]``, i running fastest, each ``rows`` transfers, last row first. One row leaves per
    cycle, while the next raw tile comes in.

    G of ``WinogradTransform`` is the same along either axis, for kernel elements g0, g1, g2 of a line:

        F(4x4): 3 g0, (g0 + g2) +- g1, (g0 + 4 g2) +- 2 g1, 3 g2
        F(2x2): g0,   (g0 + g2) +- g1,                      g2

    so two adders behind three operands make each element, down the three columns of a kernel and then along.

    Members
    -------
    select : In, range(max(2, len(tiles)))
        The transform, by its place in ``config.tiles``; may only change while ``empty`` is high.
    raw : In, stream of cols x signed(8)
    weights : Out, stream of ``weights_layout(config)``
        The first row ``latency`` cycles after a raw tile's last transfer. Lanes of both streams come
        ``PAYLOAD_LATENCY`` cycles after their transfer. ``ready`` is foreseen from ``ready_next`` and not heard.
    ready_next : In, 1
        ``weights.ready`` in the next cycle.
    empty : Out, 1
        No row is held, of a raw tile or of a transformed one.
    """

    stages = 4
    """A row is read; its operands are chosen and added, and chosen again. All of them wait together where a row has to;
    when it has left, its operands are added, and a register follows: ``PAYLOAD_LATENCY`` cycles."""
    latency = PAYLOAD_LATENCY + stages
    """Cycles from a raw tile's last transfer to its first transformed row."""
    halves = 2
    """Raw tiles held: one fills while the other is transformed."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._transforms = [winograd(tile) for tile in config.tiles]
        super().__init__(
            {
                "select": In(range(max(2, len(self._transforms)))),
                "raw": In(stream.Signature(data.ArrayLayout(signed(8), config.cols))),
                "weights": Out(stream.Signature(weights_layout(config))),
                "ready_next": In(1),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        row_bits = (config.rows - 1).bit_length()
        most = max(transform.patch for transform in self._transforms)

        # Two halves: one fills with a raw tile while the other is transformed, once all of its lanes are there.
        filled = Signal()
        used = Signal()
        completed = Signal(PAYLOAD_LATENCY - 1)
        held = tally(m, "held", self.halves, filled, used)
        complete = tally(m, "complete", self.halves, completed[-1], used)
        fill_half = Signal()
        use_half = Signal()
        tap = Signal(range(KERNEL * KERNEL))
        fill_row = Signal(range(config.rows))
        filling = Signal()
        # Whether a raw tile has come in part, and whether the next row is the last one of its tap, and that the last.
        partial = Signal()
        ends_tap = Signal()
        last_tap = Signal()
        m.d.comb += [
            self.raw.ready.eq(~held[-1]),
            filling.eq(self.raw.valid & self.raw.ready),
            filled.eq(filling & ends_tap & last_tap),
        ]
        with m.If(filling):
            m.d.sync += [fill_row.eq(fill_row + 1), ends_tap.eq(fill_row == config.rows - 2), partial.eq(1)]
            with m.If(ends_tap):
                m.d.sync += [fill_row.eq(0), ends_tap.eq(0), tap.eq(tap + 1), last_tap.eq(tap == KERNEL * KERNEL - 2)]
                with m.If(last_tap):
                    m.d.sync += [tap.eq(0), last_tap.eq(0), partial.eq(0), fill_half.eq(~fill_half)]

        # Walk over the transformed tiles.
        last = Signal(range(most))
        i = Signal(range(most))
        j = Signal(range(most))
        row = Signal(range(config.rows))
        # The row on offer leaves, or there is none: a register, as all that moves behind it hangs on this.
        advance = Signal(init=1)
        walking = Signal()
        # Where the walk stands at the end of a tile, of a column of tiles, and in the last column.
        last_row = Signal()
        last_i = Signal()
        last_j = Signal()
        final = Signal()
        m.d.comb += [
            last.eq(Array([transform.patch - 1 for transform in self._transforms])[self.select]),
            walking.eq(~complete[0]),
            used.eq(walking & advance & final),
        ]
        m.d.sync += completed.eq(Cat(filled, completed))
        with m.If(walking & advance):
            m.d.sync += [
                row.eq(row + 1),
                last_row.eq(row == config.rows - 2),
                final.eq((row == config.rows - 2) & last_i & last_j),
            ]
            with m.If(last_row):
                m.d.sync += [row.eq(0), last_row.eq(0), i.eq(i + 1), last_i.eq(i + 1 == last)]
                with m.If(last_i):
                    m.d.sync += [i.eq(0), last_i.eq(0), j.eq(j + 1), last_j.eq(j + 1 == last)]
                    with m.If(last_j):
                        m.d.sync += [j.eq(0), last_j.eq(0)]
        with m.If(used):
            m.d.sync += use_half.eq(~use_half)

        # Rows are written when their lanes are there, and before the walk gets to the tile's last row.
        arriving = data.StructLayout({"taps": KERNEL * KERNEL, "address": row_bits + 1})
        arrivals = [Signal(arriving, name=f"arrival_{cycle}") for cycle in range(PAYLOAD_LATENCY)]
        m.d.sync += [
            arrivals[0].taps.eq(Mux(filling, 1 << tap, 0)),
            arrivals[0].address.eq(Cat(fill_row, Const(0, row_bits - len(fill_row)), fill_half)),
            *(later.eq(earlier) for earlier, later in pairwise(arrivals)),
        ]
        taps = []
        for index in range(KERNEL * KERNEL):
            memory = Memory(shape=8 * config.cols, depth=2 << row_bits, init=[], attrs=RamStyle.DISTRIBUTED.attributes)
            m.submodules[f"tap_{index}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.en.eq(arrivals[-1].taps[index]),
                write.addr.eq(arrivals[-1].address),
                write.data.eq(self.raw.payload),
                read.en.eq(walking & advance),
                read.addr.eq(Cat(row, Const(0, row_bits - len(row)), use_half)),
            ]
            taps.append(read.data)

        # Down the columns of the kernel, then along its rows; a stage moves when all of those after it can.
        valid = Signal(self.stages)
        four = Signal()
        if 4 in config.tiles:
            m.d.comb += four.eq(self.select == config.tiles.index(4))
        m.d.sync += advance.eq(~Mux(advance, valid[-2], valid[-1]) | self.ready_next)
        m.d.comb += [
            self.weights.valid.eq(valid[-1]),
            self.empty.eq(held[0] & ~valid.any() & ~partial),
        ]
        j_read = Signal.like(j)
        j_chosen = Signal.like(j)
        down = Signal(LINE)
        along = Signal(LINE)
        with m.If(advance):
            m.d.sync += [valid.eq(Cat(walking, valid)), j_read.eq(j), j_chosen.eq(j_read)]
            self._choose(m, down, i, last, four)
            self._choose(m, along, j_chosen, last, four)
        # What is subtracted lacks one, which enters where it is added.
        down_carries = [Signal(name=f"column_{kx}_carry") for kx in range(KERNEL)]
        along_carry = Signal(name="weights_carry")
        with m.If(advance):
            m.d.sync += [*(carry.eq(down.negative) for carry in down_carries), along_carry.eq(along.negative)]
        weights = []
        for number in range(config.cols):
            m.submodules[f"lane_{number}"] = lane = WeightLane(self._transforms, weight_bits=config.weight_bits)
            m.d.comb += [
                lane.advance.eq(advance),
                lane.taps.eq(Cat(tap.word_select(number, 8) for tap in taps)),
                lane.down.eq(down),
                lane.along.eq(along),
                lane.down_carries.eq(Cat(down_carries)),
                lane.along_carry.eq(along_carry),
            ]
            weights.append(lane.weight)
        lanes = Signal(config.weight_bits * config.cols, reset_less=True)
        m.d.sync += lanes.eq(Cat(weights))
        m.d.comb += self.weights.payload.as_value().eq(lanes)
        return m

    def _choose(self, m: Module, line: data.View, number: Value, last: Value, four: Value) -> None:
        """What a row of G, given by its number, asks of the operands."""
        infinity, end = number == last, (number == last) | (number == 0)
        m.d.sync += [
            line.infinity.eq(infinity),
            line.tripled.eq(end & four),
            line.single.eq(end & ~four),
            line.end.eq(end),
            line.upper.eq((number == 3) | (number == 4)),
            line.negative.eq(~end & ((number == 2) | (number == 4))),
        ]
