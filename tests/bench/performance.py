"""Performance figures of the RTL beside their targets: ``make bench``.

Cycles, stalls and bytes are the hardware's own counters and the same on every machine. Wall times are not:
the table names the machine they were taken on. Every layer is compared with golden and with the timing model as
it runs. Exit status 1 if one differs; a missed target is shown, not failed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.bench.other_explorers import EXPLORERS
from wingrid.host.compiler.tiler import best_plan
from wingrid.host.execution.layer_result import LayerResult
from wingrid.host.execution.network_jobs import network_jobs
from wingrid.host.execution.network_time import time_network
from wingrid.host.execution.parallel import run_layers
from wingrid.host.execution.setup import Setup
from wingrid.host.exploration.asking import asked
from wingrid.host.exploration.search import Bounded, Tally
from wingrid.host.fitting.area_model import predicted_area
from wingrid.host.fitting.bound import least
from wingrid.host.fitting.designs import Designs
from wingrid.host.fitting.space import LADDERS
from wingrid.host.networks.inputs import network_input
from wingrid.host.networks.vgg16 import VGG16
from wingrid.host.reports.traffic import lower_bound_bytes
from wingrid.host.silicon.target import find_target
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.rtl import build
from wingrid.sim.timing import build as timing_build

CONFIGS = Path(__file__).parents[2] / "configs"
DIRECT = AcceleratorConfig.load(CONFIGS / "direct-16x16.toml")
WINOGRAD = AcceleratorConfig.load(CONFIGS / "default.toml")
ONE_MEGABYTE = AcceleratorConfig.load(CONFIGS / "one-megabyte.toml")
LARGE = AcceleratorConfig.load(CONFIGS / "32x32.toml")
SMALL = AcceleratorConfig.load(CONFIGS / "8x8.toml")
LATENCY = 40
FULLY_CONNECTED = ("fc6", "fc7", "fc8")
CONVOLUTIONS = tuple(layer.name for layer in VGG16.layers() if layer.operator == "conv")


@dataclass(frozen=True)
class Figure:
    """A measured value and what it is to reach."""

    name: str
    value: float
    target: float
    unit: str
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.value <= self.target if self.at_most else self.value >= self.target


def memory_of(config: AcceleratorConfig) -> MemoryTiming:
    """A memory that keeps the bus of this configuration busy: 16 bytes per cycle at 16x16."""
    return MemoryTiming(LATENCY, config.bus_bytes)


def run(config: AcceleratorConfig, layers: Iterable[str], algorithm: str | None, jobs: int) -> dict[str, LayerResult]:
    """The layers' results by name; ends the program if a check of one of them fails."""
    machine = Setup("rtl", config, memory_of(config), jobs=jobs, algorithm=algorithm)
    work = network_jobs(VGG16, network_input(VGG16, None, 1), list(layers))
    results = {result.layer.name: result for result in run_layers(work, machine)}
    for result in results.values():
        for failure in result.failures():
            raise SystemExit(failure)
    return results


def efficiency(results: Iterable[LayerResult], config: AcceleratorConfig) -> float:
    """Effective MACs per multiplier and cycle, over all of the layers together."""
    results = list(results)
    macs = sum(result.layer.shape.macs for result in results)
    return macs / (config.multipliers * sum(result.measurement.cycles for result in results if result.measurement))


def moved_bytes(results: Iterable[LayerResult]) -> int:
    """Bytes of every class that crossed the bus."""
    return sum(sum(result.measurement.bytes.values()) for result in results if result.measurement)


def bandwidth(results: Iterable[LayerResult], config: AcceleratorConfig) -> float:
    """Share of the bus that carried data."""
    results = list(results)
    cycles = sum(result.measurement.cycles for result in results if result.measurement)
    return moved_bytes(results) / (memory_of(config).bytes_per_cycle * cycles)


def traffic(results: Iterable[LayerResult], config: AcceleratorConfig) -> float:
    """Bytes moved over the lower bound for that much memory on chip."""
    results = list(results)
    return moved_bytes(results) / sum(lower_bound_bytes(result.layer, config.on_chip_bytes) for result in results)


def direct_figures(jobs: int) -> list[Figure]:
    from_conv2 = [name for name in CONVOLUTIONS if not name.startswith("conv1")]
    results = run(DIRECT, (*from_conv2, *FULLY_CONNECTED), None, jobs)
    convolutions = [results[name] for name in from_conv2]
    figures = [Figure("direct, conv2_1 to conv5_3", efficiency(convolutions, DIRECT), 0.95, "MACs/mult./cycle")]
    figures += [
        Figure(f"{name}, bus bandwidth", bandwidth([results[name]], DIRECT), 0.9, "of 16 bytes/cycle")
        for name in FULLY_CONNECTED
    ]
    return figures


def winograd_figures(jobs: int) -> list[Figure]:
    results = run(WINOGRAD, CONVOLUTIONS, "winograd4", jobs)
    figures = []
    for name in CONVOLUTIONS:
        target = 2.9 if name.startswith("conv5") else 3.6 if name != "conv1_1" else 0.0
        figures.append(Figure(f"F(4x4), {name}", efficiency([results[name]], WINOGRAD), target, "MACs/mult./cycle"))
    figures.append(Figure("F(4x4), 13 convolutions", efficiency(results.values(), WINOGRAD), 3.6, "MACs/mult./cycle"))
    small = run(WINOGRAD, CONVOLUTIONS, "winograd2", jobs)
    for name in CONVOLUTIONS:
        target = 2.15 if name != "conv1_1" else 0.0
        figures.append(Figure(f"F(2x2), {name}", efficiency([small[name]], WINOGRAD), target, "MACs/mult./cycle"))
    return figures


def network_figures(jobs: int) -> list[Figure]:
    """VGG-16 as users run it: each layer by its cheapest algorithm, on the default configuration."""
    began = time.perf_counter()
    results = run(WINOGRAD, (*CONVOLUTIONS, *FULLY_CONNECTED), None, jobs)
    minutes = (time.perf_counter() - began) / 60
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    convolutions = [results[name] for name in CONVOLUTIONS]
    large = run(ONE_MEGABYTE, CONVOLUTIONS, None, jobs)
    ratio = "times the lower bound"
    return [
        Figure("VGG-16, every layer checked", minutes, 6, "minutes of wall time, build excluded", at_most=True),
        Figure("memory, at most so far", gigabytes, 4, "GiB", at_most=True),
        Figure("13 convolutions", efficiency(convolutions, WINOGRAD), 3.6, "MACs/mult./cycle"),
        *(
            Figure(f"{name}, bus bandwidth", bandwidth([results[name]], WINOGRAD), 0.95, "of 16 bytes/cycle")
            for name in FULLY_CONNECTED
        ),
        Figure(f"DRAM bytes, {WINOGRAD.on_chip_bytes >> 10} KiB", traffic(convolutions, WINOGRAD), 1.4, ratio, True),
        Figure(
            f"DRAM bytes, {ONE_MEGABYTE.on_chip_bytes >> 10} KiB",
            traffic(large.values(), ONE_MEGABYTE),
            1.1,
            ratio,
            at_most=True,
        ),
    ]


def other_arrays(jobs: int) -> list[Figure]:
    """Arrays of other sizes; conv1_1 and conv5 have too few channels or pixels to fill 32 rows."""
    names = [name for name in CONVOLUTIONS if name != "conv1_1" and not name.startswith("conv5")]
    figures = [
        Figure(f"32x32, {name}", efficiency([result], LARGE), 3.3, "MACs/mult./cycle")
        for name, result in run(LARGE, names, None, jobs).items()
    ]
    [deep] = run(SMALL, ["conv5_1"], None, jobs).values()
    return [*figures, Figure("8x8, conv5_1", efficiency([deep], SMALL), 2.9, "MACs/mult./cycle")]


def simulator_figures(name: str, config: AcceleratorConfig, layer: str, target: float) -> list[Figure]:
    """Build time, from nothing, and speed of one simulation with the machine otherwise idle."""
    build.accelerator_library(config)
    [result] = run(config, [layer], None, 1).values()
    assert result.measurement is not None
    speed = result.measurement.cycles / result.seconds
    return [Figure(f"{name} simulator, {layer}", speed, target, "cycles/s on one core")]


def estimate_figures() -> list[Figure]:
    """What an estimate of VGG-16 takes, the best of three: as a command, with Python's start, and in this process."""
    timing_build.library()
    command = [sys.executable, "-m", "wingrid", "estimate", VGG16.name]
    walls, seconds, megabytes = [], [], []
    machine = Setup("timing", WINOGRAD, memory_of(WINOGRAD))
    for _ in range(3):
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        walls.append(time.perf_counter() - began)
        megabytes.append(usage.ru_maxrss / 1024)
        if status:
            raise SystemExit(f"{' '.join(command[3:])} failed")
        # As for a configuration that was never seen.
        best_plan.cache_clear()
        seconds.append(time_network(VGG16, machine).wall_seconds)
    return [
        Figure("wingrid estimate vgg16", min(walls), 0.45, "s of wall time", at_most=True),
        Figure("wingrid estimate vgg16, memory", max(megabytes), 200, "MiB", at_most=True),
        Figure("estimate in a running process", min(seconds), 0.15, "s of wall time", at_most=True),
    ]


def search_figures() -> list[Figure]:
    """Designs of a search that are bounded in a second on one core: cycles, bytes, energy and area of VGG-16.

    Of one mesh with hundreds of choices of buffers, and of the usual space, which has 64 for each of many meshes; most
    of those have no room on the chip, which their area alone tells.
    """
    mesh = dataclasses.replace(WINOGRAD, rows=8, cols=8)
    grid = np.meshgrid(*LADDERS.values(), indexing="ij")
    designs = Designs(mesh, {name: sizes.ravel() for name, sizes in zip(LADDERS, grid, strict=True)})
    layers, timing = VGG16.layers(), memory_of(mesh)
    least(layers, Designs.of(mesh), timing)
    began = time.perf_counter()
    designs = designs.only(designs.legal)
    predicted_area(designs, "ecp5").share(find_target("ecp5-85k-6"))
    least(layers, designs, timing)
    rate = len(designs) / (time.perf_counter() - began)
    usual = asked([VGG16.name], "ecp5-85k-6", clock=50.0)
    tally = Tally()
    Bounded(usual, tally, lambda _: None)
    return [
        Figure("search: designs bounded, one mesh", rate, 10_000, "designs/s"),
        Figure("search: designs bounded, usual space", tally.designs_per_second, 10_000, "designs/s"),
    ]


def other_searches() -> tuple[list[Figure], list[str]]:
    """What other explorers do with VGG-16 on this machine in this run, and a line for each that is not there."""
    figures, missing = [], []
    for explorer in EXPLORERS:
        try:
            found = explorer.found(VGG16)
        except ImportError as error:
            missing.append(f"{explorer.package}: cannot be imported: {error}")
            continue
        if found:
            name = f"{explorer.package}: {explorer.what} ({found.designs:,} in {found.seconds:.1f} s)"
            figures.append(Figure(name, found.rate, 0, "designs/s"))
        else:
            missing.append(f"{explorer.package}: not installed, see tests/bench/other_explorers.py")
    return figures, missing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    began = time.perf_counter()
    others, missing = other_searches()
    figures = [
        *estimate_figures(),
        *search_figures(),
        *others,
        *simulator_figures("direct 16x16", DIRECT, "conv5_1", 150_000),
        *simulator_figures("Winograd 16x16", WINOGRAD, "conv5_1", 120_000),
        *direct_figures(options.jobs),
        *winograd_figures(options.jobs),
        *network_figures(options.jobs),
        *other_arrays(options.jobs),
    ]
    conditions = (
        f"16x16 and 16 bytes/cycle unless stated, latency {LATENCY}; {platform.machine()}, {os.cpu_count()} cores, "
        f"{time.perf_counter() - began:.0f} s in all"
    )
    table = Table(title=f"Wingrid on VGG-16 ({conditions})")
    for column in ("figure", "value", "target", "unit", "met"):
        table.add_column(column, justify="left" if column in ("figure", "unit") else "right")
    for figure in figures:
        digits = 0 if figure.target >= 1000 else 3
        target = f"{figure.target:,.{digits}f}" if figure.target else "-"
        verdict = "yes" if figure.met else "NO"
        table.add_row(figure.name, f"{figure.value:,.{digits}f}", target, figure.unit, verdict)
    Console().print(table, *missing, sep="\n")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    report = {"conditions": conditions, "figures": [{**asdict(figure), "met": figure.met} for figure in figures]}
    report["remarks"] = missing
    options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
