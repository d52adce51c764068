"""The half of the execute engine that streams weight tiles ahead of the vectors."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.semaphores import armed
from wingrid.hw.isa import Execute, Semaphore
from wingrid.hw.layouts import layout_of
from wingrid.hw.load.operand_buffers import OperandBuffers, next_entry
from wingrid.hw.mesh.matrix_unit import PAYLOAD_LATENCY, weights_layout
from wingrid.hw.queue import Queue
from wingrid.hw.winograd.weight_decoder import WeightDecoder
from wingrid.hw.winograd.weight_transform import WeightTransform
from wingrid.hw.winograd_matrices import KERNEL

WAITS = frozenset({Semaphore.WEIGHTS_LOADED})
"""The semaphore of an EXECUTE that this half waits for; the vector feeder waits for the others."""


class WeightFeeder(wiring.Component):
    """Reads the weight tiles of queued EXECUTE instructions in order and streams their rows.

    Per instruction blocks x kernel_height x kernel_width tiles of ``config.rows`` rows (3 x 3 of them where
    a Winograd transform follows), from consecutive entries of the weight buffer. One row per cycle,
    across instructions too; a row leaves one cycle after ``read_enable`` asked the buffer for it, its weights
    ``PAYLOAD_LATENCY`` cycles later, or goes through the weight transform. Rows of compressed weights come from the
    decoder instead, each ``decoder_columns`` cycles after the one before. Going over to another transform, to none, or
    from compressed weights to others, waits until the last one is empty.

    Members
    -------
    instruction : In, stream of ``layout_of(Execute)``
    available : In, len(Semaphore)
    take : Out, len(Semaphore)
        WEIGHTS_LOADED alone.
    read_enable : Out, 1
    read_address : Out, range(weight_buffer)
    read_data : In, 8 * cols
        The buffer's entry, ``OperandBuffers.read_latency`` cycles after its address.
    weights : Out, stream of ``weights_layout(config)``
        Weights come ``PAYLOAD_LATENCY`` cycles after their transfer.
    ready_next : In, 1
        ``weights.ready`` in the next cycle.
    released : Out, 1
        Last read of an instruction that signals OPERANDS_RELEASED.
    started : Out, 1
        An instruction starts.
    ended : Out, 1
        Last read of an instruction; or, of compressed weights, the last row is transferred.
    decodes : Out, 1
        Compressed weights are decoded.
    code_write : In, 1
        A beat for the decoder's tables comes.
    code_address : In, range(code_entries)
    code_data : In, 8 * bus_bytes
    halt : In, 1
        No further instruction starts.
    idle : Out, 1
        Nothing is queued or under way.
    """

    start_latency = 1
    """Cycles from the start of an instruction to its first read, if the row before has gone."""
    read_latency = OperandBuffers.read_latency - PAYLOAD_LATENCY
    """Cycles from a read to the earliest transfer of the row."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "instruction": In(stream.Signature(layout_of(Execute))),
                "available": In(len(Semaphore)),
                "take": Out(len(Semaphore)),
                "read_enable": Out(1),
                "read_address": Out(range(config.weight_buffer)),
                "read_data": In(8 * config.cols),
                "weights": Out(stream.Signature(weights_layout(config))),
                "ready_next": In(1),
                "released": Out(1),
                "started": Out(1),
                "ended": Out(1),
                "decodes": Out(1),
                "code_write": In(1),
                "code_address": In(range(max(config.code_entries, 1))),
                "code_data": In(8 * config.bus_bytes),
                "halt": In(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        fields = data.StructLayout(
            {
                "waits": 1,
                "same": 1,
                "releases": 1,
                "weight_base": range(config.weight_buffer),
                "blocks": 16,
                "kernel_height": 8,
                "kernel_width": 8,
                "tile": config.tile_bits,
                "coded": 1 if config.decoders else 0,
            }
        )
        m.submodules.queue = queue = Queue(fields, config.queue_depth)
        execute = self.instruction.payload
        m.d.comb += [
            queue.input.valid.eq(self.instruction.valid),
            self.instruction.ready.eq(queue.input.ready),
            queue.input.payload.waits.eq(execute.wait[Semaphore.WEIGHTS_LOADED]),
            queue.input.payload.releases.eq(execute.signal[Semaphore.OPERANDS_RELEASED]),
        ]
        m.d.comb += [
            queue.input.payload[name].eq(execute[name])
            for name in ("weight_base", "blocks", "kernel_height", "kernel_width", "tile", "coded")
        ]
        # Whether it goes the way of the one before is worked out as it enters, as whether it may start is known late.
        way = Cat(queue.input.payload.tile, queue.input.payload.coded)
        last_way = Signal(len(way))
        m.d.comb += queue.input.payload.same.eq(way == last_way)
        with m.If(queue.input.valid & queue.input.ready):
            m.d.sync += last_way.eq(way)

        active = Signal()
        address = Signal(range(config.weight_buffer))
        row = Signal(range(config.rows))
        last_row = Signal()
        taps_x = Signal(8)
        kernel_width = Signal(8)
        taps_y = Signal(8)
        kernel_height = Signal(8)
        blocks = Signal(16)
        # Whether there is but one left of them, and one altogether.
        last_x = Signal()
        last_y = Signal()
        last_block = Signal()
        one_x = Signal()
        one_y = Signal()

        releases = Signal()
        valid = Signal()
        advance = Signal()
        read = Signal()
        finishing = Signal()
        start = Signal()
        head = queue.output.payload
        coded = Signal.like(head.coded)
        rows = stream.Signature(data.ArrayLayout(signed(8), config.cols)).create(path=("rows",))
        direct = Signal(init=1)
        select = Signal(range(max(2, len(config.tiles))))
        transform_empty = self._route(m, rows, direct, select)
        ends_kernel = last_row & last_x & last_y
        has_all = (
            queue.output.valid
            & (head.same | (~active & ~valid & transform_empty))
            & (~head.waits | self.available[Semaphore.WEIGHTS_LOADED])
        )
        m.d.comb += [
            advance.eq(~valid | rows.ready),
            finishing.eq(ends_kernel & last_block),
            start.eq(armed(m, has_all, start) & (~active | (finishing & read)) & ~self.halt),
            queue.output.ready.eq(start),
            self.take.eq(Mux(start & head.waits, 1 << Semaphore.WEIGHTS_LOADED, 0)),
            read.eq(active & advance),
            self.read_enable.eq(read),
            self.ended.eq(finishing & read),
            self.released.eq(self.ended & releases),
            self.started.eq(start),
            self.read_address.eq(address),
            self.idle.eq(~active & ~queue.output.valid & ~valid & transform_empty),
            rows.valid.eq(valid),
            rows.payload.as_value().eq(self.read_data),
        ]

        with m.If(advance):
            m.d.sync += valid.eq(active)
        with m.If(start):
            m.d.sync += [active.eq(1), direct.eq(head.tile == 0), coded.eq(head.coded)]
            with m.Switch(head.tile):
                for number, choice in enumerate(config.tiles):
                    with m.Case(choice):
                        m.d.sync += select.eq(number)
        with m.Elif(read & finishing):
            m.d.sync += active.eq(0)
        # What an instruction begins with is loaded whether or not there is one, so that this hangs on registers alone.
        with m.If(~active | read):
            with m.If(~active | finishing):
                m.d.sync += [
                    row.eq(0),
                    last_row.eq(0),
                    address.eq(head.weight_base),
                    blocks.eq(head.blocks),
                    last_block.eq(head.blocks == 1),
                    releases.eq(head.releases),
                ]
                for size, left, last, one in (
                    (head.kernel_width, (taps_x, kernel_width), last_x, one_x),
                    (head.kernel_height, (taps_y, kernel_height), last_y, one_y),
                ):
                    m.d.sync += [*(register.eq(size) for register in left), last.eq(size == 1), one.eq(size == 1)]
                    with m.If(head.tile != 0):
                        m.d.sync += [*(register.eq(KERNEL) for register in left), last.eq(0), one.eq(0)]
            with m.Else():
                m.d.sync += [
                    address.eq(next_entry(address, config.weight_buffer)),
                    row.eq(row + 1),
                    last_row.eq(row == config.rows - 2),
                ]
                with m.If(last_row):
                    m.d.sync += [row.eq(0), last_row.eq(0), taps_x.eq(taps_x - 1), last_x.eq(taps_x == 2)]
                    with m.If(last_x):
                        m.d.sync += [
                            taps_x.eq(kernel_width),
                            last_x.eq(one_x),
                            taps_y.eq(taps_y - 1),
                            last_y.eq(taps_y == 2),
                        ]
                        with m.If(last_y):
                            m.d.sync += [
                                taps_y.eq(kernel_height),
                                last_y.eq(one_y),
                                blocks.eq(blocks - 1),
                                last_block.eq(blocks == 2),
                            ]
        if config.decoders:
            m.submodules.decoder = decoder = WeightDecoder(config)
            m.d.comb += [
                decoder.begins.eq(start & head.coded),
                decoder.base.eq(head.weight_base),
                decoder.works.eq(active & coded),
                decoder.ends_tile.eq(ends_kernel),
                decoder.read_data.eq(self.read_data),
                decoder.rows.ready.eq(rows.ready),
                decoder.table_write.eq(self.code_write),
                decoder.table_address.eq(self.code_address),
                decoder.table_data.eq(self.code_data),
                self.decodes.eq(decoder.moves),
            ]
            with m.If(coded):
                # What the decoder transfers is counted as what is read otherwise.
                m.d.comb += [
                    read.eq(decoder.rows.valid & rows.ready),
                    self.read_enable.eq(decoder.read_enable),
                    self.read_address.eq(decoder.read_address),
                    rows.valid.eq(decoder.rows.valid),
                    rows.payload.eq(decoder.rows.payload),
                ]
                m.d.sync += valid.eq(0)
        return m

    def _route(self, m: Module, rows: stream.Interface, direct: Signal, select: Signal) -> Value:
        """Send rows to the mesh, ``direct`` or through the transform that ``select`` names; returns its ``empty``.

        Both change more than ``PAYLOAD_LATENCY`` cycles after the last transfer of the tile before: its weights have
        passed then.
        """
        config = self._config
        m.d.comb += [
            self.weights.valid.eq(rows.valid),
            rows.ready.eq(self.weights.ready),
            *(self.weights.payload[lane].eq(rows.payload[lane]) for lane in range(config.cols)),
        ]
        if not config.tiles:
            return Const(1)
        m.submodules.transform = transform = WeightTransform(config)
        m.d.comb += [
            transform.select.eq(select),
            transform.raw.valid.eq(rows.valid & ~direct),
            transform.raw.payload.eq(rows.payload),
            transform.weights.ready.eq(self.weights.ready),
            transform.ready_next.eq(self.ready_next),
        ]
        with m.If(~direct):
            m.d.comb += [
                rows.ready.eq(transform.raw.ready),
                self.weights.valid.eq(transform.weights.valid),
                self.weights.payload.eq(transform.weights.payload),
            ]
        return transform.empty
