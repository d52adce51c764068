"""From drained accumulators to int8: Winograd's output transform where there is one, then requantisation."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import FACTOR_BITS, Combining
from wingrid.hw.layouts import PARAMETER_LAYOUT
from wingrid.hw.load.operand_buffers import BUFFER_ADDRESS_BITS
from wingrid.hw.store.combination import Combination
from wingrid.hw.store.pooler import Pooler
from wingrid.hw.store.requantiser import Requantiser, results_layout
from wingrid.hw.store.table_lookup import TableLookup
from wingrid.hw.winograd.exact_division import ExactDivision
from wingrid.hw.winograd.output_transform import OutputTransform
from wingrid.hw.winograd.vectors import vector_layout
from wingrid.hw.winograd_matrices import winograd


class OutputPath(wiring.Component):
    """Turns drained vectors of accumulators into results, with a fixed latency for each ``tile``.

    With tile 0 every vector is a result. Else n x n vectors, in the order of a Winograd EXECUTE's
    positions, become tile x tile results in raster order. Then they are looked up in a table, in a configuration that
    has some, another tensor is added to them or multiplied by them, in one with addends, and they are pooled, see
    ``TableLookup``, ``Combination`` and ``Pooler``. One vector per cycle, gaps do no harm, and there is no
    back-pressure.

    All inputs but ``sums`` and those that fill tables and the addend buffer must hold from the first vector of an
    instruction to its last result.

    Members
    -------
    sums : In, ``vector_layout(accumulator_bits, cols)``
    tile : In, 8
        Winograd tile, or 0: from the second cycle before its first vector until its last result.
    pool : In, 8
        Side of a pooling window; 0 and 1 stand for none.
    table : In, 16
        As ``TableLookup`` has it.
    combination : In, Combining
    factor : In, signed(FACTOR_BITS)
    addend_factor : In, signed(FACTOR_BITS)
    offset : In, signed(32)
    result_zero : In, signed(8)
    addend_zero : In, signed(8)
    addend_base : In, 16
    broadcast : In, 1
    rewind : In, 1
        These nine as ``Combination`` has them.
    table_write : In, 1
    addend_write : In, 1
    write_address : In, BUFFER_ADDRESS_BITS
    write_data : In, 8 * bus_bytes
        As ``TableLookup`` and ``Combination`` have them. What belongs to either is read by nobody in a configuration
        without.
    parameters : In, cols x ``PARAMETER_LAYOUT``
    zero_point : In, signed(8)
    minimum : In, signed(8)
    maximum : In, signed(8)
    results : Out, ``results_layout(config)``
        From ``latency_for(config, tile)`` to ``latency_for(config, tile) + span_for(tile)`` cycles after the tile's
        last vector.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "sums": In(vector_layout(config.accumulator_bits, config.cols)),
                "tile": In(8),
                "pool": In(8),
                "table": In(16),
                "combination": In(Combining),
                "factor": In(signed(FACTOR_BITS)),
                "addend_factor": In(signed(FACTOR_BITS)),
                "offset": In(signed(32)),
                "result_zero": In(signed(8)),
                "addend_zero": In(signed(8)),
                "addend_base": In(16),
                "broadcast": In(1),
                "rewind": In(1),
                "table_write": In(1),
                "addend_write": In(1),
                "write_address": In(BUFFER_ADDRESS_BITS),
                "write_data": In(8 * config.bus_bytes),
                "parameters": In(data.ArrayLayout(PARAMETER_LAYOUT, config.cols)),
                "zero_point": In(signed(8)),
                "minimum": In(signed(8)),
                "maximum": In(signed(8)),
                "results": Out(results_layout(config)),
            }
        )

    @staticmethod
    def latency_for(config: AcceleratorConfig, tile: int) -> int:
        """Cycles from a tile's last vector to its first result; with tile 0, from a vector to its result.

        One of them is for the choice between the two.
        """
        transform = OutputTransform.latency_for(tile) + ExactDivision.latency if tile else 0
        combination = Combination.latency if config.addends else 0
        return transform + 1 + OutputPath._looked_up_latency(config) + combination + Pooler.latency

    @staticmethod
    def _looked_up_latency(config: AcceleratorConfig) -> int:
        """Cycles from what is requantised to what a table has for it."""
        return Requantiser.latency + (TableLookup.latency if config.tables else 0)

    @staticmethod
    def span_for(tile: int) -> int:
        """Cycles from a tile's first result to its last."""
        return OutputTransform.span_for(tile) if tile else 0

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        m.submodules.requantiser = requantiser = Requantiser(config)
        m.submodules.pooler = pooler = Pooler(config)
        valid = Signal()
        lanes = Signal.like(self.sums.lanes, reset_less=True)
        # One bit, which every lane's choice hears.
        direct = Signal()
        m.d.sync += [direct.eq(self.tile == 0), valid.eq(self.sums.valid & direct), lanes.eq(self.sums.lanes)]
        m.d.comb += [
            requantiser.sums.valid.eq(valid),
            requantiser.sums.lanes.eq(lanes),
            requantiser.parameters.eq(self.parameters),
            requantiser.zero_point.eq(self.zero_point),
            requantiser.minimum.eq(self.minimum),
            requantiser.maximum.eq(self.maximum),
            pooler.window.eq(self.pool),
            pooler.tile.eq(self.tile),
            self.results.eq(pooler.output),
        ]
        results = requantiser.results
        if config.tables:
            m.submodules.lookup = lookup = TableLookup(config)
            m.d.comb += [
                lookup.write_enable.eq(self.table_write),
                lookup.write_address.eq(self.write_address),
                lookup.write_data.eq(self.write_data),
                lookup.table.eq(self.table),
                lookup.input.eq(results),
            ]
            results = lookup.output
        if config.addends:
            m.submodules.combination = combination = Combination(config)
            coming = Signal(self._looked_up_latency(config) - Combination.lead)
            m.d.sync += coming.eq(Cat(requantiser.sums.valid, coming))
            m.d.comb += [
                combination.write_enable.eq(self.addend_write),
                combination.write_address.eq(self.write_address),
                combination.write_data.eq(self.write_data),
                combination.combination.eq(self.combination),
                combination.factor.eq(self.factor),
                combination.addend_factor.eq(self.addend_factor),
                combination.offset.eq(self.offset),
                combination.result_zero.eq(self.result_zero),
                combination.addend_zero.eq(self.addend_zero),
                combination.base.eq(self.addend_base),
                combination.broadcast.eq(self.broadcast),
                combination.rewind.eq(self.rewind),
                combination.coming.eq(coming[-1]),
                combination.input.eq(results),
            ]
            results = combination.output
        m.d.comb += pooler.input.eq(results)
        if config.tiles:
            transforms = [winograd(tile) for tile in config.tiles]
            bits = config.accumulator_bits
            m.submodules.transform = transform = OutputTransform(config.tiles, lanes=config.cols, bits=bits)
            m.submodules.division = division = ExactDivision(transforms, lanes=config.cols, bits=bits)
            m.d.comb += [
                transform.input.lanes.eq(self.sums.lanes),
                division.input.eq(transform.output),
            ]
            m.d.comb += transform.input.valid.eq(self.sums.valid & ~direct)
            with m.If(~direct):
                m.d.sync += [valid.eq(division.output.valid), lanes.eq(division.output.lanes)]
            if len(config.tiles) > 1:
                select = Signal(range(len(config.tiles)))
                m.d.comb += [transform.select.eq(select), division.select.eq(select)]
                with m.Switch(self.tile):
                    for number, tile in enumerate(config.tiles):
                        with m.Case(tile):
                            m.d.sync += select.eq(number)
        return m
