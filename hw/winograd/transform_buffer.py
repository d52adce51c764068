"""The buffer that turns transformed patches, tile by tile, into vectors for the mesh, position by position."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.lib.wiring import In, Out, connect, flipped

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.counters import Stall
from wingrid.hw.control.semaphores import armed
from wingrid.hw.isa import Execute, Semaphore
from wingrid.hw.layouts import layout_of
from wingrid.hw.mesh.accumulators import accumulator_tag
from wingrid.hw.mesh.matrix_unit import vectors_layout
from wingrid.hw.mesh.vector_source import makes_way
from wingrid.hw.queue import Queue
from wingrid.hw.ram_style import RamStyle
from wingrid.hw.tally import tally
from wingrid.hw.winograd.input_transform import InputTransform
from wingrid.hw.winograd.patch_feeder import BLOCK, MOST_POSITIONS, PatchFeeder
from wingrid.hw.winograd.vectors import vector_layout
from wingrid.hw.winograd_matrices import winograd

WAITS = frozenset({Semaphore.BANK_RELEASED})
"""The semaphore of a Winograd EXECUTE that this part waits for."""


class TransformBuffer(wiring.Component):
    """Holds the transformed vectors of two blocks: one fills while the other streams through the mesh.

    A block arrives with position running fastest and leaves with the tile running fastest: n x n steps of
    count vectors, each step with the weight tile of its position, added to accumulators
    ``accumulator_base`` + position*count + tile. A vector leaves per cycle, across steps, blocks and instructions,
    as long as blocks arrive in time.

    A vector with ``first`` may wait for any time, but no other. So
    once the last step's first vector is gone, the others follow in as many cycles, and the half can be given
    to the next block when at most ``refill_latency_for(tile)`` of them are left to read: the first vector of that
    block is written that many cycles later. (A block of another tile may be two cycles sooner, and reads reach the
    memory a cycle late: three vectors, which go to the half's beginning and to one and two counts behind it, where all
    has been read long before.)

    Members
    -------
    instruction : In, stream of ``layout_of(Execute)``
    available : In, len(Semaphore)
    take : Out, len(Semaphore)
        BANK_RELEASED alone.
    block : In, stream of ``BLOCK``
        Taken while a half is free.
    transformed : In, ``vector_layout(activation_bits, rows)``
        Vectors of the blocks taken, in order. No back-pressure.
    vectors : Out, stream of ``vectors_layout(config, accumulator_tag(config))``
        As those of every ``VectorSource``.
    loaded_next : In, 1
    halt : In, 1
        No further instruction starts.
    stall : Out, Stall
        What kept the next vector from being offered in the cycle before, when none was.
    idle : Out, 1
        No instruction is queued or under way.
    started : Out, 1
        An instruction starts.
    ended : Out, 1
        The last vector of an instruction is read.
    """

    halves = 2
    """Blocks held: one fills while the other streams."""

    @staticmethod
    def refill_latency_for(tile: int) -> int:
        """Cycles from a half's release to the next block's first write: n + 9.

        One until the block is accepted and the last pixel of its first patch is read, four until that arrives,
        and the transform.
        """
        return 1 + PatchFeeder.read_latency + InputTransform.latency_for(tile)

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "instruction": In(stream.Signature(layout_of(Execute))),
                "available": In(len(Semaphore)),
                "take": Out(len(Semaphore)),
                "block": In(stream.Signature(BLOCK)),
                "transformed": In(vector_layout(config.activation_bits, config.rows)),
                "vectors": Out(stream.Signature(vectors_layout(config, accumulator_tag(config)))),
                "loaded_next": In(1),
                "halt": In(1),
                "stall": Out(Stall),
                "idle": Out(1),
                "started": Out(1),
                "ended": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        m.submodules.queue = queue = Queue(layout_of(Execute), config.queue_depth)
        m.submodules.arriving = arriving = Queue(BLOCK, self.halves)
        memory = Memory(
            shape=config.activation_bits * config.rows,
            depth=2 * config.accumulators,
            init=[],
            attrs=RamStyle.BLOCK.without_bypass,
        )
        m.submodules.memory = memory
        write, read = memory.write_port(), memory.read_port()
        connect(m, flipped(self.instruction), queue.input)
        released = Signal()
        accepted = Signal()
        free = tally(m, "free", self.halves, released, accepted, init=self.halves)
        # A free half is room in the queue of arriving blocks as well.
        m.d.comb += [
            self.block.ready.eq(~free[0]),
            accepted.eq(self.block.valid & self.block.ready),
            arriving.input.valid.eq(accepted),
            arriving.input.payload.eq(self.block.payload),
        ]

        filled = self._fill(m, arriving, write)
        self._stream(m, queue, read, filled, released)
        return m

    def _fill(self, m: Module, arriving: Queue, write: WritePort) -> Signal:
        """Write arriving vectors; returns the pulse that ends a block."""
        block = arriving.output.payload
        half = Signal()
        next_tile = Signal(16, init=1)
        position = Signal(range(MOST_POSITIONS))
        address = Signal.like(write.addr)
        top = Signal.like(write.addr)
        ends_tile = Signal()
        last_tile = Signal()
        filled = Signal()
        # A tile takes long enough for this to be told in a cycle of its own.
        m.d.sync += last_tile.eq(next_tile == block.count)
        m.d.comb += [
            write.en.eq(self.transformed.valid),
            write.addr.eq(address),
            write.data.eq(self.transformed.lanes.as_value()),
            filled.eq(self.transformed.valid & ends_tile & last_tile),
            arriving.output.ready.eq(filled),
        ]
        with m.If(self.transformed.valid):
            m.d.sync += [
                position.eq(position + 1),
                ends_tile.eq(position + 1 == block.last_position),
                address.eq(address + block.count),
            ]
            with m.If(ends_tile):
                m.d.sync += [position.eq(0), next_tile.eq(next_tile + 1), address.eq(top + 1), top.eq(top + 1)]
            with m.If(filled):
                m.d.sync += [next_tile.eq(1), half.eq(~half)]
                m.d.sync += [register.eq(self._beginning(~half)) for register in (address, top)]
        return filled

    def _beginning(self, half: Value) -> Value:
        """Where a half begins in the memory."""
        return Mux(half, self._config.accumulators, 0)

    def _stream(self, m: Module, queue: Queue, read: ReadPort, filled: Signal, released: Signal) -> None:
        """Stream full halves, instruction after instruction; ``released`` pulses when one may take another block."""
        config = self._config
        head = queue.output.payload
        current = Signal(layout_of(Execute))
        half = Signal()
        tiles_left = Signal(16)
        blocks_left = Signal(16)
        position = Signal(range(MOST_POSITIONS))
        # What of an instruction has to be worked out is, before it starts.
        before_last_position = Signal(range(MOST_POSITIONS))
        next_before_last = Signal(range(MOST_POSITIONS))
        release_at = Signal(16)
        next_release = Signal(16)
        entry = Signal.like(read.addr)
        address = Signal(range(config.accumulators))
        first_block = Signal()

        active = Signal()
        blocked = Signal()
        start = Signal()
        step = Signal()
        first_tile = Signal()
        advance = makes_way(m, self.loaded_next, step, first_tile)
        last_tile = Signal()
        one_tile = Signal()
        last_step = Signal()
        last_block = Signal()
        last_vector = Signal()
        final = Signal()
        full = tally(m, "full", self.halves, filled, step & last_vector)
        m.d.comb += [
            step.eq(active & advance & ~full[0]),
            last_vector.eq(last_step & last_tile),
            released.eq(step & last_step & (tiles_left == release_at)),
            blocked.eq(head.wait[Semaphore.BANK_RELEASED] & ~self.available[Semaphore.BANK_RELEASED]),
            start.eq(armed(m, queue.output.valid & ~blocked, start) & (~active | (step & final)) & ~self.halt),
            queue.output.ready.eq(start),
            self.started.eq(start),
            self.ended.eq(step & final),
            self.take.eq(Mux(start, head.wait & (1 << Semaphore.BANK_RELEASED), 0)),
            self.idle.eq(~active & ~queue.output.valid & ~self.vectors.valid),
        ]
        with m.If(start):
            m.d.sync += active.eq(1)
        with m.Elif(step & final):
            m.d.sync += active.eq(0)
        # What an instruction begins with is loaded whether or not there is one, so that this hangs on registers alone.
        with m.If(~active | step):
            with m.If(~active | final):
                m.d.sync += [
                    current.eq(head),
                    tiles_left.eq(head.count),
                    first_tile.eq(1),
                    last_tile.eq(head.count == 1),
                    one_tile.eq(head.count == 1),
                    blocks_left.eq(head.blocks),
                    last_block.eq(head.blocks == 1),
                    first_block.eq(1),
                    before_last_position.eq(next_before_last),
                    release_at.eq(next_release),
                    final.eq(0),
                ]
            with m.Else():
                m.d.sync += [
                    tiles_left.eq(Mux(last_tile, current.count, tiles_left - 1)),
                    first_tile.eq(last_tile),
                    last_tile.eq(Mux(last_tile, one_tile, tiles_left == 2)),
                    # An instruction has more than one position.
                    final.eq(
                        last_block
                        & Mux(
                            last_tile,
                            one_tile & ~last_step & (position == before_last_position),
                            last_step & (tiles_left == 2),
                        )
                    ),
                ]
                with m.If(last_vector):
                    m.d.sync += [blocks_left.eq(blocks_left - 1), last_block.eq(blocks_left == 2), first_block.eq(0)]
        with m.If(step):
            m.d.sync += [address.eq(address + 1), entry.eq(entry + 1)]
            with m.If(last_tile):
                m.d.sync += [position.eq(position + 1), last_step.eq(position == before_last_position)]
            with m.If(last_vector):
                m.d.sync += [position.eq(0), address.eq(0), entry.eq(self._beginning(~half)), half.eq(~half)]
        with m.Switch(head.tile[: config.tile_bits]):
            for tile in config.tiles:
                with m.Case(tile):
                    in_time = self.refill_latency_for(tile)
                    m.d.sync += [
                        next_before_last.eq(winograd(tile).patch ** 2 - 2),
                        # When the second vector is read, the first has met its weights.
                        next_release.eq(Mux(head.count > in_time, in_time, Mux(head.count == 1, 1, head.count - 1))),
                    ]

        m.d.sync += self.stall.eq(Stall.NO_INSTRUCTION)
        with m.If(active & full[0]):
            m.d.sync += self.stall.eq(Stall.TRANSFORM)
        with m.Elif(active | (queue.output.valid & ~blocked)):
            m.d.sync += self.stall.eq(Stall.PIPELINE)
        with m.Elif(queue.output.valid):
            m.d.sync += self.stall.eq(Stall.ACCUMULATORS)

        payload = self.vectors.payload
        with m.If(advance):
            m.d.sync += self.vectors.valid.eq(step)
        with m.If(step):
            m.d.sync += [
                payload.first.eq(first_tile),
                payload.tag.bank.eq(current.bank),
                payload.tag.address.eq(current.accumulator_base + address),
                payload.tag.accumulate.eq(~first_block | current.accumulate[0]),
                payload.tag.last.eq(final & current.signal[Semaphore.SUMS_READY]),
            ]
        # A register before the memory and one behind it.
        asked = Signal()
        asked_entry = Signal.like(entry, reset_less=True)
        lanes = Signal(len(read.data), reset_less=True)
        m.d.sync += [asked.eq(step), asked_entry.eq(entry), lanes.eq(read.data)]
        m.d.comb += [read.en.eq(asked), read.addr.eq(asked_entry), payload.lanes.as_value().eq(lanes)]
