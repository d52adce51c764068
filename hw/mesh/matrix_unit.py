"""The mesh behind stream handshakes: weight tiles and vectors in, tagged sums out."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Shape, ShapeLike, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.mesh import Mesh


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


class MatrixUnit(wiring.Component):
    """Stream vectors through weight tiles.

    A tile is ``rows`` transfers on ``weights``, **last row first**. It waits in the shadow weights until a
    vector with ``first`` takes it; that vector and all that follow, up to the next ``first``, are
    multiplied by it. Sums leave in order, exactly ``latency_for(config)`` cycles after the vector's transfer, with no
    back-pressure. Both streams may pause at any time.

    A tile may begin to load in the cycle in which the one before is taken, so tiles of P >= rows vectors
    run at one vector per cycle without a bubble; with P < rows, the next ``first`` waits rows - P cycles.
    ``weights.ready`` therefore depends on ``vectors.valid`` in the same cycle; ``vectors.ready`` depends on
    ``vectors.payload.first`` alone and never on ``weights``.

    The first vector after reset must have ``first`` set; without it, it is multiplied by whatever the mesh holds.

    Members
    -------
    weights : In, stream of ``weights_layout(config)``
    vectors : In, stream of ``vectors_layout(config, tag_layout)``
    sums : Out, ``sums_layout(config, tag_layout)``
        Lanes and tag have a meaning only together with ``valid``.
    loaded : Out, 1
        A complete tile waits to be taken.
    """

    def __init__(self, config: AcceleratorConfig, tag_layout: ShapeLike) -> None:
        self._tag_layout = tag_layout
        self._config = config
        super().__init__(
            {
                "weights": In(stream.Signature(weights_layout(config))),
                "vectors": In(stream.Signature(vectors_layout(config, tag_layout))),
                "sums": Out(sums_layout(config, tag_layout)),
                "loaded": Out(1),
            }
        )

    @staticmethod
    def latency_for(config: AcceleratorConfig) -> int:
        """Cycles from a vector's transfer to its sums."""
        return Mesh.latency_for(config)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, latency = self._config.rows, self.latency_for(self._config)
        m.submodules.mesh = mesh = Mesh(self._config)

        full = Signal()
        take = Signal()
        row_arrives = Signal()
        vector_arrives = Signal()
        m.d.comb += [
            self.loaded.eq(full),
            take.eq(self.vectors.valid & self.vectors.p.first & full),
            self.weights.ready.eq(~full | take),
            self.vectors.ready.eq(~self.vectors.p.first | full),
            row_arrives.eq(self.weights.valid & self.weights.ready),
            vector_arrives.eq(self.vectors.valid & self.vectors.ready),
        ]

        # The rows of the mesh that capture: one more with each row that arrives.
        thermometer = Signal(rows, init=1)
        with m.If(take):
            m.d.sync += full.eq(0)
        with m.If(row_arrives):
            m.d.sync += thermometer.eq(Cat(1, thermometer))
            with m.If(thermometer[-1]):
                m.d.sync += [full.eq(1), thermometer.eq(1)]

        m.d.comb += [
            mesh.weights.eq(self.weights.payload),
            mesh.load.eq(thermometer & row_arrives.replicate(rows)),
            mesh.vector.eq(self.vectors.p.lanes),
            mesh.swap.eq(take),
            self.sums.lanes.eq(mesh.sums),
        ]

        valid = Signal(latency)
        m.d.sync += valid.eq(Cat(vector_arrives, valid))
        m.d.comb += self.sums.valid.eq(valid[-1])
        self._delay_tag(m, latency)
        return m

    def _delay_tag(self, m: Module, latency: int) -> None:
        """Tags rest in a circular memory instead of moving through ``latency`` registers.

        It needs no reset because the valid bits have one.
        """
        depth = 1 << (latency - 1).bit_length()
        m.submodules.tags = tags = Memory(shape=Shape.cast(self._tag_layout), depth=depth, init=[])
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
