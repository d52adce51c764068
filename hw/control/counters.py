"""The performance counters: where every cycle and every byte went."""

from __future__ import annotations

import enum

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import Buffer
from wingrid.hw.registers import Counter

COUNTER_BITS = 64


class Stall(enum.IntEnum):
    """Reasons for which a source of vectors offers none, or the sparse lanes have no entry."""

    NO_INSTRUCTION = 0
    INPUTS = 1
    ACCUMULATORS = 2
    PIPELINE = 3
    TRANSFORM = 4
    WEIGHTS = 5


class Counters(wiring.Component):
    """Counts while ``running``.

    Each running cycle counts as exactly one of BUSY and the STALL_*: busy when a vector enters the
    mesh; else the cause that keeps the next vector from entering. Each beat counts ``bus_bytes``. What is to count
    rests in registers before it is looked at, and before it is added: it comes at the end of the longest chains.

    Members
    -------
    clear : In, 1
        Sets all counters to zero.
    running : In, 1
        The cycle counts.
    vector_valid : In, 1
        A vector is offered to the mesh, or an entry to the sparse lanes.
    vector_ready : In, 1
        The mesh takes a vector, or the lanes an entry.
    stall : In, Stall
        Why none was offered in the cycle before; looked at if ``vector_valid`` was low.
    all_dispatched : In, 1
        No instruction is left to dispatch: a lack of instructions is the end of the program.
    fetched : In, 1
        A beat of instructions has arrived.
    loaded : In, len(Buffer)
        A beat has arrived for the ``Buffer`` of the bit that is set.
    written : In, 1
        Memory takes a beat of results.
    values : Out, len(Counter) x COUNTER_BITS
        The counters, without what happens in this cycle and in the three before.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "clear": In(1),
                "running": In(1),
                "vector_valid": In(1),
                "vector_ready": In(1),
                "stall": In(Stall),
                "all_dispatched": In(1),
                "fetched": In(1),
                "loaded": In(len(Buffer)),
                "written": In(1),
                "values": Out(data.ArrayLayout(COUNTER_BITS, len(Counter))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bus_bytes = self._config.bus_bytes
        pulse = {counter: Signal(name=f"pulse_{counter.name.lower()}") for counter in Counter}
        clear = Signal()
        m.d.sync += clear.eq(self.clear)
        m.d.sync += [signal.eq(0) for signal in pulse.values()]
        running = Signal()
        vector_valid = Signal()
        vector_ready = Signal()
        stall = Signal(Stall)
        all_dispatched = Signal()
        m.d.sync += stall.eq(self.stall)
        # The others wait for the stall that they came with.
        for value, late in (
            (self.running, running),
            (self.vector_valid, vector_valid),
            (self.vector_ready, vector_ready),
            (self.all_dispatched, all_dispatched),
        ):
            early = Signal(name=f"early_{late.name}")
            m.d.sync += [early.eq(value), late.eq(early)]
        with m.If(running):
            m.d.sync += pulse[Counter.CYCLES].eq(1)
            with m.If(vector_valid & vector_ready):
                m.d.sync += pulse[Counter.BUSY].eq(1)
            with m.Elif(vector_valid | (stall == Stall.WEIGHTS)):
                m.d.sync += pulse[Counter.STALL_WEIGHTS].eq(1)
            with m.Elif(stall == Stall.INPUTS):
                m.d.sync += pulse[Counter.STALL_INPUTS].eq(1)
            with m.Elif(stall == Stall.ACCUMULATORS):
                m.d.sync += pulse[Counter.STALL_ACCUMULATORS].eq(1)
            with m.Elif(stall == Stall.TRANSFORM):
                m.d.sync += pulse[Counter.STALL_TRANSFORM].eq(1)
            with m.Elif(stall == Stall.PIPELINE):
                m.d.sync += pulse[Counter.STALL_PIPELINE].eq(1)
            with m.Elif(all_dispatched):
                m.d.sync += pulse[Counter.STALL_DRAIN].eq(1)
            with m.Else():
                m.d.sync += pulse[Counter.STALL_INSTRUCTIONS].eq(1)
        m.d.sync += [
            pulse[Counter.BYTES_INSTRUCTIONS].eq(self.fetched),
            pulse[Counter.BYTES_WEIGHTS].eq(self.loaded[Buffer.WEIGHTS.value] | self.loaded[Buffer.CODES.value]),
            pulse[Counter.BYTES_ACTIVATIONS].eq(self.loaded[Buffer.INPUTS.value] | self.loaded[Buffer.ADDENDS.value]),
            pulse[Counter.BYTES_PARAMETERS].eq(self.loaded[Buffer.PARAMETERS.value] | self.loaded[Buffer.TABLES.value]),
            pulse[Counter.BYTES_RESULTS].eq(self.written),
        ]
        for counter in Counter:
            step = bus_bytes if counter.name.startswith("BYTES_") else 1
            with m.If(clear):
                m.d.sync += self.values[counter].eq(0)
            with m.Elif(pulse[counter]):
                m.d.sync += self.values[counter].eq(self.values[counter] + step)
        return m
