"""What is proved about max pooling."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from rules import Bench, past
from small_configurations import SMALL

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.store.pooler import Pooler

WITH_TILES = dataclasses.replace(SMALL, winograd=4, accumulators=72, output_buffer=32, weight_buffer=36)

LARGEST_WINDOW = 3
"""Side of direct windows that are tried; rules do not depend on sizes."""

SETTLING = 2
"""Cycles from another window or tile to the next result."""


class PoolerBench(Bench):
    """Results at any time, windows and tiles that change whenever they may, of one column.

    A maximum is what reaches a number if, and only if, one of its window's results does. Which results take part shows
    with any number, zero among them, since whether the larger of two reaches it is whether either does.
    """

    rules: ClassVar = {
        "whole": "a maximum leaves for each whole window, `latency` cycles after its last result, at no other time",
        "largest": "it is zero or more if, and only if, one of its window's results is",
        "passes": "without a window results leave as they came",
    }
    witnesses: ClassVar = {
        "window": "two windows of the largest side were pooled",
        "tile": "two tiles of 4 x 4 were pooled",
        "changed": "a tile was pooled after a window",
    }

    def __init__(self, config: AcceleratorConfig = WITH_TILES) -> None:
        self.config = config
        super().__init__({"valid": 1, "result": signed(8), "change": 1, "side": 2, "tiled": 1, "wide": 1})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.begin(m)
        m.submodules.device = device = Pooler(self.config)
        lane = self.config.cols - 1

        # Both change between windows, when nothing is on its way, and some time before the next result.
        window, tile = Signal(2), Signal(3)
        column, row = Signal(2), Signal(2)
        flight, settled = Signal(device.latency), Signal(SETTLING)
        valid, changes = Signal(), Signal()
        m.d.comb += [
            valid.eq(self.valid & settled.all()),
            changes.eq(self.change & ~valid & ~flight.any() & (column == 0) & (row == 0)),
        ]
        m.d.sync += [flight.eq(Cat(valid, flight)), settled.eq(Mux(changes, 0, Cat(1, settled)))]
        with m.If(changes):
            m.d.sync += [
                window.eq(Mux(self.tiled & (self.side == LARGEST_WINDOW), 0, self.side)),
                tile.eq(Mux(self.tiled, Mux(self.wide, 4, 2), 0)),
            ]
        m.d.comb += [
            device.window.eq(window),
            device.tile.eq(tile),
            device.input.valid.eq(valid),
            device.input.lanes[lane].eq(self.result),
        ]

        # Where results stand, counted in columns and rows of what they come in: a window, or a tile.
        passes, tiled = window <= 1, (window > 1) & (tile != 0)
        side = Mux(tiled, tile, window)
        line_ends, all_ends = Signal(), Signal()
        m.d.comb += [line_ends.eq(column + 1 == side), all_ends.eq(passes | (line_ends & (row + 1 == side)))]
        with m.If(valid & ~passes):
            m.d.sync += column.eq(Mux(line_ends, 0, column + 1))
            with m.If(line_ends):
                m.d.sync += row.eq(Mux(all_ends, 0, row + 1))

        place = Mux(tiled, column[1], 0)
        opens = passes | Mux(tiled, ~column[0] & ~row[0], (column == 0) & (row == 0))
        completes = valid & Mux(tiled, column[0] & row[0], all_ends)
        due, passed = completes, self.result
        for age in range(device.latency):
            due, passed = past(m, due, f"due_{age}"), past(m, passed, f"passed_{age}")
        left = device.output
        largest = left.lanes[lane]
        self.rule(m, "whole", left.valid == due)
        self.rule(m, "passes", ~(left.valid & passes) | (largest == passed))
        # Of each window, whether a result was that; a line of 4 x 4 meets two windows.
        reached = Array(Signal(name=f"reached_{pair}") for pair in range(2))
        expected = (self.result >= 0) | (~opens & reached[place])
        with m.If(valid):
            m.d.sync += reached[place].eq(expected)
        for age in range(device.latency):
            expected = past(m, expected, f"expected_{age}")
        self.rule(m, "largest", ~left.valid | ((largest >= 0) == expected))

        windows, tiles = Signal(2), Signal(2)
        with m.If(completes & ~passes & ~tiled & (window == LARGEST_WINDOW) & (windows != 3)):
            m.d.sync += windows.eq(windows + 1)
        with m.If(valid & tiled & all_ends & (tile == 4) & (tiles != 3)):
            m.d.sync += tiles.eq(tiles + 1)
        self.witness(m, "window", windows == 2)
        self.witness(m, "tile", tiles == 2)
        self.witness(m, "changed", (windows == 1) & (tiles == 1))
        self.conclude(m)
        return m
