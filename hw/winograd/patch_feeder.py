"""The part of the execute engine that reads Winograd patches and transforms them."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.semaphores import armed
from wingrid.hw.isa import Execute, Semaphore
from wingrid.hw.layouts import layout_of
from wingrid.hw.load.operand_buffers import OperandBuffers
from wingrid.hw.load.padding import padded_pixel
from wingrid.hw.queue import Queue
from wingrid.hw.winograd.input_transform import InputTransform
from wingrid.hw.winograd.patch_walk import PatchWalk
from wingrid.hw.winograd.vectors import register, vector_layout
from wingrid.hw.winograd_matrices import POINTS, winograd

MOST_POSITIONS = max(winograd(tile).patch ** 2 for tile in POINTS)
"""Elements of the largest patch."""

WAITS = frozenset({Semaphore.INPUTS_LOADED})
"""The semaphore of a Winograd EXECUTE that this part waits for."""

BLOCK = data.StructLayout({"count": 16, "last_position": range(MOST_POSITIONS)})
"""A block on its way to the transform buffer: number of tiles, and positions of a tile less one."""


class PatchFeeder(wiring.Component):
    """Reads patches in the order of ``PatchWalk``, one vector per cycle, and transforms them.

    Each block of a group is announced on ``block`` as the last vector of its first patch is read, which waits
    until there is room for it: up to there, nothing can leave the transform. A step of the walk is a read.
    OPERANDS_RELEASED is signalled with the last read. A change of transform waits
    until the last one is through.

    Members
    -------
    instruction : In, stream of ``layout_of(Execute)``
    available : In, len(Semaphore)
    take : Out, len(Semaphore)
        INPUTS_LOADED alone.
    signal : Out, len(Semaphore)
        OPERANDS_RELEASED alone.
    read_enable : Out, 1
    read_address : Out, range(input_buffer)
    read_data : In, 8 * rows
        The input buffer's entry, ``OperandBuffers.read_latency`` cycles after its address.
    block : Out, stream of ``BLOCK``
    transformed : Out, ``vector_layout(activation_bits, rows)``
        count x n x n vectors a block, position running fastest, ``V[i][j]`` with i before j. No back-pressure.
    select : Out, range(max(2, len(tiles)))
        The transform in use, by its place in ``config.tiles``.
    halt : In, 1
        No further instruction starts.
    awaiting_inputs : Out, 1
        The next instruction waits for INPUTS_LOADED, and no other is under way.
    idle : Out, 1
        Nothing is queued or under way.
    started : Out, 1
        An instruction starts.
    ended : Out, 1
        Last read of an instruction.
    """

    start_latency = 1
    """Cycles from the start of an instruction to its first read."""
    read_latency = OperandBuffers.read_latency + 1
    """Cycles from a read to the pixel's arrival at the transform: the buffer's answer, and a register for the pixel."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "instruction": In(stream.Signature(layout_of(Execute))),
                "available": In(len(Semaphore)),
                "take": Out(len(Semaphore)),
                "signal": Out(len(Semaphore)),
                "read_enable": Out(1),
                "read_address": Out(range(config.input_buffer)),
                "read_data": In(8 * config.rows),
                "block": Out(stream.Signature(BLOCK)),
                "transformed": Out(vector_layout(config.activation_bits, config.rows)),
                "select": Out(range(max(2, len(config.tiles)))),
                "halt": In(1),
                "awaiting_inputs": Out(1),
                "idle": Out(1),
                "started": Out(1),
                "ended": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        transforms = [winograd(tile) for tile in config.tiles]
        m = Module()
        m.submodules.queue = queue = Queue(layout_of(Execute), config.queue_depth)
        m.submodules.walk = walk = PatchWalk(config)
        m.submodules.transform = transform = InputTransform(config.tiles, lanes=config.rows)
        connect(m, flipped(self.instruction), queue.input)

        head = queue.output.payload
        active = Signal()
        start = Signal()
        zero_point = Signal(signed(8))
        signal = Signal(len(Semaphore))
        count = Signal(16)
        reading = Signal()
        finishing = Signal()
        choice = Signal.like(self.select)
        same_transform = Signal()
        with m.Switch(head.tile[: config.tile_bits]):
            for number, tile in enumerate(config.tiles):
                with m.Case(tile):
                    m.d.comb += choice.eq(number)
        arrived = Signal(OperandBuffers.read_latency)
        blocked = Signal()
        empty = Signal()
        m.d.comb += [
            same_transform.eq((choice == self.select) | (empty & ~active)),
            self.block.payload.count.eq(count),
            self.block.payload.last_position.eq(Array([t.patch**2 - 1 for t in transforms])[self.select]),
            self.block.valid.eq(active & walk.commits),
            reading.eq(active & (~walk.commits | self.block.ready)),
            finishing.eq(reading & walk.final),
            blocked.eq(head.wait[Semaphore.INPUTS_LOADED] & ~self.available[Semaphore.INPUTS_LOADED]),
            self.awaiting_inputs.eq(~active & queue.output.valid & blocked),
            start.eq(
                armed(m, queue.output.valid & same_transform & ~blocked, start) & (~active | finishing) & ~self.halt
            ),
            queue.output.ready.eq(start),
            self.take.eq(Mux(start, head.wait & (1 << Semaphore.INPUTS_LOADED), 0)),
            self.started.eq(start),
            self.ended.eq(finishing),
            self.signal.eq(Mux(finishing, signal & (1 << Semaphore.OPERANDS_RELEASED), 0)),
            walk.start.eq(start),
            walk.instruction.eq(head),
            walk.step.eq(reading),
            empty.eq(transform.empty & ~transform.input.valid & ~arrived.any()),
            self.read_enable.eq(reading),
            self.read_address.eq(walk.address),
            self.idle.eq(~active & ~queue.output.valid & empty),
        ]
        with m.If(start):
            m.d.sync += active.eq(1)
            if len(config.tiles) > 1:
                m.d.sync += self.select.eq(choice)
        with m.Elif(finishing):
            m.d.sync += active.eq(0)
        with m.If(~active | finishing):
            m.d.sync += [zero_point.eq(head.zero_point), signal.eq(head.signal), count.eq(head.count)]

        m.d.sync += [arrived.eq(Cat(reading, arrived)), transform.input.valid.eq(arrived[-1])]
        m.d.comb += [transform.select.eq(self.select), self.transformed.eq(transform.output)]
        for lane, value in enumerate(padded_pixel(m, reading, walk.inside, zero_point, self.read_data)):
            pixel = register("pixel", 8, lane)
            m.d.sync += pixel.eq(value)
            m.d.comb += transform.input.lanes[lane].eq(pixel)
        return m
