"""Copies of a value follow it, and stay apart in synthesis."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import SimulatorContext
from mapped_cells import ECP5, XC7, mapped_cells
from simulation import simulate

from wingrid.hw.copies import KINDS, copies

LANES = 6


class Listeners(wiring.Component):
    """Lanes that obey a value each, behind registers that ``made`` makes."""

    def __init__(self, made: Callable[[Module, str, Value, int], list[Signal]], bits: int) -> None:
        self._made = made
        super().__init__({"value": In(bits), "lanes": In(LANES * bits), "heard": Out(LANES * bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        heard = self._made(m, "copy", self.value, LANES)
        m.d.comb += self.heard.eq(self.lanes & Cat(heard))
        return m


def alike(m: Module, name: str, value: Value, listeners: int) -> list[Signal]:
    """A register for each, without a difference."""
    made = [Signal(len(value), name=f"{name}_{number}") for number in range(listeners)]
    m.d.sync += [register.eq(value) for register in made]
    return made


@pytest.mark.parametrize("bits", [1, 5])
def test_every_listener_hears_the_value_a_cycle_later(bits: int) -> None:
    random = np.random.default_rng(5)
    dut = Listeners(copies, bits)
    for_all = sum(1 << lane * bits for lane in range(LANES))

    async def testbench(ctx: SimulatorContext) -> None:
        before = None
        for value in random.integers(1 << bits, size=50):
            ctx.set(dut.value, int(value))
            ctx.set(dut.lanes, (1 << LANES * bits) - 1)
            if before is not None:
                assert ctx.get(dut.heard) == before * for_all
            before = int(value)
            await ctx.tick()

    simulate(dut, testbench)


@pytest.mark.slow
@pytest.mark.parametrize(("synthesis", "register"), [(ECP5, "TRELLIS_FF"), (XC7, "FD")])
@pytest.mark.parametrize(("made", "kept"), [(copies, len(KINDS)), (alike, 1)])
@pytest.mark.parametrize("bits", [1, 5])
def test_tools_keep_copies_and_merge_what_is_alike(
    synthesis: str,
    register: str,
    made: Callable[[Module, str, Value, int], list[Signal]],
    kept: int,
    bits: int,
    tmp_path: Path,
) -> None:
    cells = mapped_cells(Listeners(made, bits), tmp_path, synthesis)
    assert sum(cell["type"].startswith(register) for cell in cells) == kept * bits


@pytest.mark.parametrize(("listeners", "heard"), [(8, "00011122"), (3, "012"), (2, "01"), (1, "0")])
def test_neighbours_share_a_copy_and_none_is_for_nobody(listeners: int, heard: str) -> None:
    assert [copy.name for copy in copies(Module(), "copy", Signal(), listeners)] == [f"copy_{kind}" for kind in heard]
