"""The accelerator on a chip: from a configuration and a target to area, clock and paths."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

from wingrid.host.silicon import routed_clocks
from wingrid.host.silicon.area import area_by_part, uncounted
from wingrid.host.silicon.family import FAMILIES
from wingrid.host.silicon.harness import harness
from wingrid.host.silicon.parts import parts
from wingrid.host.silicon.place_and_route import routed, router_arguments, router_of
from wingrid.host.silicon.routed_clocks import RoutedClock
from wingrid.host.silicon.synth_result import SynthResult
from wingrid.host.silicon.synthesis import YOSYS, netlist, netlist_path, recipe, source
from wingrid.host.silicon.target import Target
from wingrid.host.silicon.yowasp import identity
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.cache import key
from wingrid.sim.tools import Tools

Says = Callable[[str], None]
"""Hears what is being done now."""


def synthesised(
    config: AcceleratorConfig, target: Target, *, seeds: Sequence[int] = (), says: Says = lambda _: None
) -> SynthResult:
    """Synthesise the accelerator, and if the target has room for it, place and route it with each seed.

    Whatever was done before comes from the cache, in which the clock is kept, too. Raises ``ToolMissing``, and
    ``BuildError`` if a tool fails, as the router does where things get too tight.
    """
    started = time.perf_counter()
    tools, family = Tools(), FAMILIES[target.family]
    for program in (YOSYS, *([router_of(target)] if seeds else [])):
        identity(program)
    try:
        says("generating Verilog")
        text, files = source(config, says), parts(config)
        says(f"yosys for {target.family}")
        path = netlist_path(text, target, tools, says)
        cells = netlist(path)
        areas = area_by_part(cells, family, files)
        result = SynthResult(config, target, areas, files, uncounted(cells, family), [], 0.0)
        routes = []
        for seed in seeds if result.fits else ():
            says(f"nextpnr for {target.name}, seed {seed}")
            routes.append(routed(path, target, seed, list(files), tools, says))
    except BaseException:
        tools.stop()
        raise
    result = dataclasses.replace(result, routes=routes, seconds=time.perf_counter() - started)
    if routes:
        routed_clocks.keep(row(result))
    return result


def row(result: SynthResult) -> RoutedClock:
    """The clock that was found, with what it was found for and by."""
    return RoutedClock(
        result.config,
        result.target.name,
        tuple(route.seed for route in result.routes),
        tuple(route.mhz for route in result.routes),
        fingerprint(result.config, result.target),
        ", ".join(identity(program) for program in (YOSYS, router_of(result.target))),
    )


def fingerprint(config: AcceleratorConfig, target: Target) -> str:
    """Of all that would be routed today: Verilog, harness, and what the tools are told, but for the seed."""
    text = source(config)
    return key(text, harness(text), recipe(target), *router_arguments(target))
