"""The mesh behind stream handshakes: weight tiles and vectors in, tagged sums out."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Shape, ShapeLike, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.mesh import Mesh
from wingrid.hw.ram_style import RamStyle


def weights_layout(config: AcceleratorConfig) -> data.ArrayLayout:
    """One row of a weight tile: the weights of an input channel for each output channel."""
    return data.ArrayLayout(signed(config.weight_bits), config.cols)


def vectors_layout(config: AcceleratorConfig, tag_layout: ShapeLike) -> data.StructLayout:
    """A vector of input channels; ``first`` marks the first one for a new weight tile."""
    return data.StructLayout(
        {"lanes": data.ArrayLayout(signed(config.activation_bits), config.rows), "first": 1, "tag": tag_layout}
    )


def sums_layout(config: AcceleratorConfig, tag_layout: ShapeLike) -> data.StructLayout:
    """A vector of output channels with the tag of the vector that it came from."""
    return data.StructLayout(
        {"valid": 1, "lanes": data.ArrayLayout(signed(config.accumulator_bits), config.cols), "tag": tag_layout}
    )


PAYLOAD_LATENCY = 2
"""Cycles from a transfer on one of the matrix unit's streams to its lanes, so that there can be a register before the
memory that they come from and one behind it. What decides whether there is a transfer does not wait for them."""


class MatrixUnit(wiring.Component):
    """Stream vectors through weight tiles.

    A tile is ``rows`` transfers on ``weights``, **last row first**. It waits in the shadow weights until a
    vector with ``first`` takes it; that vector and all that follow, up to the next ``first``, are
    multiplied by it. Sums leave in order, exactly ``latency_for(config)`` cycles after the vector's transfer, with no
    back-pressure. Both streams may pause at any time.

    Lanes of rows and of vectors come ``PAYLOAD_LATENCY`` cycles after their transfer, and the mesh does that much later
    what is said here; all else of a vector comes with its transfer. Both rest in a register before they enter the mesh.
    The vector that takes a tile swaps the mesh's weights a cycle later, and in that cycle the next tile's first row may
    enter, which has waited in the register; the second is transferred then. A tile's last row is known to enter while
    it rests, so the vector that takes the tile may be transferred in that cycle already. So tiles of P >= rows vectors
    run at one vector per cycle without a bubble; with P < rows, the next ``first`` waits rows - P cycles.
    ``weights.ready`` is a register, and ``vectors.ready`` comes from one and ``vectors.payload.first``.

    The first vector after reset must have ``first`` set; without it, it is multiplied by whatever the mesh holds.

    Members
    -------
    weights : In, stream of ``weights_layout(config)``
    vectors : In, stream of ``vectors_layout(config, tag_layout)``
    sums : Out, ``sums_layout(config, tag_layout)``
        Lanes and tag have a meaning only together with ``valid``.
    ready_next : Out, 1
        ``weights.ready`` in the next cycle.
    loaded_next : Out, 1
        A complete tile can be taken in the next cycle.
    """

    def __init__(self, config: AcceleratorConfig, tag_layout: ShapeLike) -> None:
        self._tag_layout = tag_layout
        self._config = config
        super().__init__(
            {
                "weights": In(stream.Signature(weights_layout(config))),
                "vectors": In(stream.Signature(vectors_layout(config, tag_layout))),
                "sums": Out(sums_layout(config, tag_layout)),
                "ready_next": Out(1),
                "loaded_next": Out(1),
            }
        )

    @staticmethod
    def latency_for(config: AcceleratorConfig) -> int:
        """Cycles from a vector's transfer to its sums: to its lanes, one to the mesh, and through it."""
        return PAYLOAD_LATENCY + 1 + Mesh.latency_for(config)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, latency = self._config.rows, self.latency_for(self._config)
        m.submodules.mesh = mesh = Mesh(self._config)

        loaded = Signal()
        full = Signal()
        row_waits = Signal()
        takes_row = Signal(init=1)
        row_enters = Signal()
        weights = Signal(weights_layout(self._config), reset_less=True)
        vector = Signal(mesh.vector.shape(), reset_less=True)
        take = Signal()
        # What a transfer asks for, until its lanes are there.
        row_arrives = Signal(PAYLOAD_LATENCY)
        loads = [Signal(rows, name=f"load_{cycle}") for cycle in range(PAYLOAD_LATENCY)]
        taken = Signal(1 + PAYLOAD_LATENCY)
        valid = Signal(latency)
        swaps = Signal()
        vector_enters = Signal()
        # The rows of the mesh that capture: one more with each row that enters.
        thermometer = Signal(rows, init=1)
        m.d.comb += [
            row_enters.eq(row_waits & ~full),
            self.weights.ready.eq(takes_row),
            # A vector with ``first`` needs a complete tile, all others are taken.
            self.vectors.ready.eq(~self.vectors.p.first | loaded),
            take.eq(self.vectors.valid & self.vectors.p.first & loaded),
        ]
        # A tile is complete when its last row has entered, or waits to.
        still_full = loaded & ~take
        still_waits = Mux(takes_row, self.weights.valid, row_waits)
        still_last = Mux(row_enters, thermometer[-2] & ~thermometer[-1], thermometer[-1])
        m.d.comb += [
            self.ready_next.eq(~still_waits | ~still_full),
            self.loaded_next.eq(still_full | (still_waits & still_last)),
        ]
        m.d.sync += [
            loaded.eq(self.loaded_next),
            full.eq(still_full),
            row_waits.eq(still_waits),
            takes_row.eq(self.ready_next),
            taken.eq(Cat(take, taken)),
            row_arrives.eq(Cat(self.weights.valid & self.weights.ready, row_arrives)),
            loads[0].eq(thermometer & row_enters.replicate(rows)),
            *(later.eq(earlier) for earlier, later in pairwise(loads)),
            valid.eq(Cat(self.vectors.valid & self.vectors.ready, valid)),
            vector.eq(self.vectors.p.lanes),
        ]
        with m.If(row_arrives[-1]):
            m.d.sync += weights.eq(self.weights.p)
        with m.If(row_enters):
            m.d.sync += thermometer.eq(Mux(thermometer[-1], 1, Cat(1, thermometer)))

        m.d.comb += [
            mesh.weights.eq(weights),
            swaps.eq(taken[-1]),
            # Looked at by docs/draw_diagrams.py alone.
            vector_enters.eq(valid[PAYLOAD_LATENCY]),
            mesh.load.eq(loads[-1]),
            mesh.vector.eq(vector),
            mesh.swap.eq(swaps),
            self.sums.lanes.eq(mesh.sums),
            self.sums.valid.eq(valid[-1]),
        ]
        self._delay_tag(m, latency)
        return m

    def _delay_tag(self, m: Module, latency: int) -> None:
        """Tags rest in a circular memory instead of moving through ``latency`` registers.

        It needs no reset because the valid bits have one.
        """
        depth = 1 << (latency - 1).bit_length()
        m.submodules.tags = tags = Memory(
            shape=Shape.cast(self._tag_layout), depth=depth, init=[], attrs=RamStyle.DISTRIBUTED.attributes
        )
        write, read = tags.write_port(), tags.read_port()
        now = Signal(range(depth))
        m.d.sync += now.eq(now + 1)
        m.d.comb += [
            write.addr.eq(now),
            write.data.eq(self.vectors.p.tag),
            write.en.eq(1),
            # The port answers a cycle later.
            read.addr.eq(now - (latency - 1)),
            self.sums.tag.eq(read.data),
        ]
