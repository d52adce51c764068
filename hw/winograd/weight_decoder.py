"""Compressed weights back to rows of raw weight tiles, at a constant rate."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import CODE_RING, CODE_WORDS_APART, LARGEST_PACE
from wingrid.hw.layouts import CODE_HEAD
from wingrid.hw.load.operand_buffers import OperandBuffers, next_entry
from wingrid.hw.winograd.code_lane import CodeLane

assert CODE_RING - OperandBuffers.read_latency - 5 >= CODE_WORDS_APART


class WeightDecoder(wiring.Component):
    """Reads entries of compressed weights, a word for each lane, and makes rows, each in ``decoder_columns`` steps.

    All lanes step together, once a cycle; in step p of row r of a raw tile, lane l decodes the weight of column
    p * lanes + k, where l is k + r // 2**pace modulo the number of lanes. So columns whose weights take more bits than
    others' go round, at the pace that the host finds best for the tile, and streams are about as long as each other.
    All streams of a raw tile begin in one entry, lane 0's behind a ``CODE_HEAD``.

    Entries are read ahead, while each lane's ring has room for them. Those that the lanes need next have always come,
    as no lane uses up a word a cycle, if lanes stay close to each other, which the host knows and sees to. Nothing
    here looks at what lanes have: time is the number of steps, whatever the codes are.

    Members
    -------
    begins : In, 1
        An EXECUTE with codes starts.
    base : In, range(weight_buffer)
        Its first entry.
    works : In, 1
        From the cycle after ``begins`` until its last row has been transferred.
    ends_tile : In, 1
        The next row to be transferred is the last one of a raw tile.
    read_enable : Out, 1
    read_address : Out, range(weight_buffer)
    read_data : In, 8 * cols
        The buffer's entry, ``OperandBuffers.read_latency`` cycles after its address.
    rows : Out, stream of cols x signed(8)
        Weights come ``PAYLOAD_LATENCY`` cycles after their transfer, for one cycle.
    moves : Out, 1
        Lanes go on.
    table_write : In, 1
    table_address : In, range(code_entries)
    table_data : In, 8 * bus_bytes
        A beat for the lanes' tables (``CodeLane``).
    """

    @staticmethod
    def latency_for(config: AcceleratorConfig) -> int:
        """Cycles from ``begins`` to the earliest transfer of a row: two words to each lane, and then its symbols."""
        return OperandBuffers.read_latency + 2 + config.decoder_columns

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "begins": In(1),
                "base": In(range(config.weight_buffer)),
                "works": In(1),
                "ends_tile": In(1),
                "read_enable": Out(1),
                "read_address": Out(range(config.weight_buffer)),
                "read_data": In(8 * config.cols),
                "rows": Out(stream.Signature(data.ArrayLayout(signed(8), config.cols))),
                "moves": Out(1),
                "table_write": In(1),
                "table_address": In(range(config.code_entries)),
                "table_data": In(8 * config.bus_bytes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        lanes = [CodeLane(config, CODE_HEAD.size if number == 0 else 0) for number in range(config.decoders)]
        for number, lane in enumerate(lanes):
            m.submodules[f"lane_{number}"] = lane
        arrives, arrival_word = self._read(m, lanes)

        # Steps: one a cycle once words have come, but for those that complete a row which has to wait.
        first_steps = OperandBuffers.read_latency + 2
        begun = Signal(first_steps)
        decodes = Signal()
        step = Signal(range(config.decoder_columns))
        completes = Signal()
        m.d.sync += [begun.eq(Cat(self.begins, begun)), decodes.eq(~self.begins & (decodes | begun[-1]))]
        m.d.comb += [
            completes.eq(step == config.decoder_columns - 1),
            self.rows.valid.eq(self.works & decodes & completes),
            self.moves.eq(self.works & decodes & (~completes | self.rows.ready)),
        ]
        # Where the next raw tile begins, and at which pace columns go round, is told at the begin of each.
        starts_tile = Signal()
        next_word = Signal(range(CODE_RING))
        turn = Signal(range(config.decoders))
        row = Signal(LARGEST_PACE)
        pace = Signal(LARGEST_PACE)
        turns = (row | ~pace).all()
        leaves = completes & self.ends_tile
        with m.If(self.moves):
            m.d.sync += [step.eq(Mux(completes, 0, step + 1)), starts_tile.eq(leaves)]
            with m.If(starts_tile):
                head = lanes[0].head
                m.d.sync += [
                    next_word.eq(lanes[0].word + head.entries),
                    pace.eq(Cat(head.pace > number for number in range(LARGEST_PACE))),
                ]
            with m.If(completes):
                m.d.sync += row.eq(row + 1)
                with m.If(turns):
                    m.d.sync += turn.eq(Mux(turn == config.decoders - 1, 0, turn + 1))
            with m.If(leaves):
                m.d.sync += [row.eq(0), turn.eq(0)]
        with m.If(self.begins):
            m.d.sync += starts_tile.eq(1)
        for number, lane in enumerate(lanes):
            m.d.comb += [
                lane.begins.eq(self.begins),
                lane.steps.eq(self.moves),
                lane.leaves.eq(leaves),
                lane.next_word.eq(next_word),
                lane.arrives.eq(arrives),
                lane.arrival_word.eq(arrival_word),
                lane.arrival.eq(self.read_data.word_select(number, 8 * config.decoder_columns)),
                lane.table_write.eq(self.table_write),
                lane.table_address.eq(self.table_address),
                lane.table_data.eq(self.table_data),
            ]
        self._collect(m, [lane.symbol for lane in lanes], turn)
        return m

    def _read(self, m: Module, lanes: list[CodeLane]) -> tuple[Signal, Signal]:
        """Ask for entries as long as there is room; returns whether one comes, and for which word of the rings."""
        asked = Signal(range(CODE_RING))
        on_its_way = Signal(OperandBuffers.read_latency)
        arrival_word = Signal(range(CODE_RING))
        full = Cat((asked + 1)[: len(asked)] == lane.word for lane in lanes).any()
        m.d.comb += self.read_enable.eq(self.works & ~full)
        m.d.sync += [on_its_way.eq(Cat(self.read_enable, on_its_way)), arrival_word.eq(arrival_word + on_its_way[-1])]
        with m.If(self.read_enable):
            m.d.sync += [
                asked.eq(asked + 1),
                self.read_address.eq(next_entry(self.read_address, self._config.weight_buffer)),
            ]
        with m.If(self.begins):
            m.d.sync += [asked.eq(0), on_its_way.eq(0), arrival_word.eq(0), self.read_address.eq(self.base)]
        return on_its_way[-1], arrival_word

    def _collect(self, m: Module, symbols: list[Signal], turn: Signal) -> None:
        """Put the symbols of each step, which come a cycle later, behind those of the row's steps before."""
        moved = Signal()
        turned = Signal.like(turn)
        row = Signal(8 * self._config.cols, reset_less=True)
        m.d.sync += [moved.eq(self.moves), turned.eq(turn)]
        columns = [
            Array(symbols[(column + by) % len(symbols)] for by in range(len(symbols)))[turned]
            for column in range(len(symbols))
        ]
        with m.If(moved):
            m.d.sync += row.eq(Cat(row[8 * len(symbols) :], *columns))
        m.d.comb += self.rows.payload.as_value().eq(row)
