"""Area and clock of the arrays that people build, and what VGG-16 makes of them, beside what is aimed at.

    python -m tests.bench.silicon [--seeds 3] [--no-route]

Each array is synthesised by yosys, and routed by nextpnr on an ECP5-85F at speed grades 6 and 8; hours on two cores.
What was done before comes from the cache. The clocks that were found go into ``host/silicon/clocks.toml``, from which
``--target`` tells them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from tests.bench.performance import Figure
from wingrid.host.commands.progress import Bar
from wingrid.host.execution.network_time import time_network
from wingrid.host.execution.setup import Setup
from wingrid.host.files import write_whole
from wingrid.host.networks.vgg16 import VGG16
from wingrid.host.silicon import routed_clocks
from wingrid.host.silicon.family import LOGIC
from wingrid.host.silicon.routed_clocks import RoutedClock
from wingrid.host.silicon.synth import row, synthesised
from wingrid.host.silicon.target import find_target
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming

WINOGRAD_4X4 = AcceleratorConfig(rows=4, cols=4, winograd=4)
WINOGRAD_8X8 = AcceleratorConfig(rows=8, cols=8, winograd=4)
DIRECT_8X8 = AcceleratorConfig(rows=8, cols=8, winograd=0)
WINOGRAD_16X16 = AcceleratorConfig(rows=16, cols=16, winograd=4)

CLOCKS = (
    (WINOGRAD_4X4, "ecp5-85k-6", 100),
    (WINOGRAD_4X4, "ecp5-85k-8", 125),
    (WINOGRAD_8X8, "ecp5-85k-6", 100),
    (WINOGRAD_8X8, "ecp5-85k-8", 125),
    (DIRECT_8X8, "ecp5-85k-6", 110),
    (DIRECT_8X8, "ecp5-85k-8", 140),
)
"""Configurations and targets with the MHz that are aimed at, by seed 1 and by the median."""

LUT4_OF_8X8, LOGIC_OF_8X8 = 18_000, 42.0
"""With F(4x4) on an ECP5-85F: look-up tables, and per cent of all logic."""
LUT_OF_16X16 = 34_000
"""With F(4x4) on 7-series, those that are memories included."""

CONVOLUTIONS, CONV5, FULLY_CONNECTED = 3.78, 3.05, 0.99
"""At 16x16, 16 bytes per cycle, latency 40: multiply-adds per multiplier and cycle, and share of the bus."""


def name(config: AcceleratorConfig) -> str:
    return f"{config.rows}x{config.cols} {f'F({config.winograd}x{config.winograd})' if config.winograd else 'direct'}"


def efficiencies(config: AcceleratorConfig) -> Iterator[Figure]:
    """What VGG-16 makes of the multipliers and of the bus, by the timing model."""
    memory = MemoryTiming(latency=40, bytes_per_cycle=16)
    layers = time_network(VGG16, Setup("timing", config, memory)).layers
    cycles = {result.layer.name: result.measurement.cycles for result in layers if result.measurement}
    macs = {result.layer.name: result.layer.shape.macs for result in layers}
    moved = {result.layer.name: result.measurement.dram_bytes for result in layers if result.measurement}
    for what, prefix, aim in (("13 convolutions", "conv", CONVOLUTIONS), ("conv5", "conv5", CONV5)):
        chosen = [layer for layer in cycles if layer.startswith(prefix)]
        effective = sum(macs[layer] for layer in chosen) / (config.multipliers * sum(cycles[layer] for layer in chosen))
        yield Figure(f"VGG-16's {what} at {name(config)}", effective, aim, "MACs/mult./cycle")
    fc = [layer for layer in cycles if layer.startswith("fc")]
    share_of_bus = sum(moved[layer] for layer in fc) / (memory.bytes_per_cycle * sum(cycles[layer] for layer in fc))
    yield Figure(f"VGG-16's fc layers at {name(config)}", share_of_bus, FULLY_CONNECTED, "of the bus")


def areas(small: AcceleratorConfig, large: AcceleratorConfig) -> Iterator[Figure]:
    """What an array takes of an ECP5-85F, and another of a 7-series chip."""
    chip = find_target("ecp5-85k-6")
    with Bar(chip.name) as bar:
        found = synthesised(small, chip, says=bar.says)
    tables, logic = found.total.counts[LOGIC], found.share[LOGIC]
    yield Figure(f"{name(small)} on ECP5", tables, LUT4_OF_8X8, "LUT4", at_most=True)
    yield Figure(f"{name(small)} on ECP5-85F", 100 * logic, LOGIC_OF_8X8, "% of its logic", at_most=True)
    with Bar("xc7a200t-1") as bar:
        found = synthesised(large, find_target("xc7a200t-1"), says=bar.says)
    yield Figure(f"{name(large)} on 7-series", found.total.logic(found.family), LUT_OF_16X16, "LUT", at_most=True)


def clocks(config: AcceleratorConfig, target: str, aim: float, seeds: int) -> Iterator[Figure]:
    """What an array reaches on a target, which goes into the file of shipped clocks."""
    with Bar(target) as bar:
        found = synthesised(config, find_target(target), seeds=range(1, seeds + 1), says=bar.says)
    ship(row(found))
    what = f"{name(config)} on {target}"
    yield Figure(f"{what}, seed 1", found.routes[0].mhz, aim, "MHz")
    if seeds > 1:
        assert found.mhz is not None
        yield Figure(f"{what}, median of {seeds} seeds", found.mhz, aim, "MHz")


def ship(found: RoutedClock) -> None:
    """Put a row into the file of shipped clocks, in the place of the one for the same configuration and target."""
    places = [(config, target) for config, target, _ in CLOCKS]
    rows = {(old.config, old.target): old for old in routed_clocks.read(routed_clocks.SHIPPED)}
    rows[found.config, found.target] = found
    in_order = sorted(rows, key=lambda place: places.index(place) if place in places else len(places))
    write_whole(routed_clocks.SHIPPED, routed_clocks.as_text(rows[place] for place in in_order).encode())


def figures(seeds: int, route: bool) -> Iterator[Figure]:
    yield from efficiencies(WINOGRAD_16X16)
    yield from areas(WINOGRAD_8X8, WINOGRAD_16X16)
    for config, target, aim in CLOCKS if route else ():
        yield from clocks(config, target, aim, seeds)


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status, which is 0 whatever is reached."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3, help="placements to try on each target; 3")
    parser.add_argument("--no-route", action="store_true", help="areas and efficiency only, in minutes")
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error(f"--seeds {options.seeds} must be at least 1")
    print("| What | Unit | Found | Aim | Met |\n| --- | --- | --- | --- | --- |", flush=True)
    missed = found = 0
    for figure in figures(options.seeds, not options.no_route):
        bound = "at most" if figure.at_most else "at least"
        met = "yes" if figure.met else "NO"
        print(
            f"| {figure.name} | {figure.unit} | {figure.value:,.6g} | {bound} {figure.target:,g} | {met} |", flush=True
        )
        found, missed = found + 1, missed + (not figure.met)
    print(f"\n{found - missed} of {found} are met.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
