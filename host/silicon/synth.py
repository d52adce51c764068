"""The accelerator on a chip: from a configuration and a target to area, clock and paths."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from wingrid.host.silicon.area import area_by_part
from wingrid.host.silicon.family import FAMILIES
from wingrid.host.silicon.parts import parts
from wingrid.host.silicon.place_and_route import routed
from wingrid.host.silicon.synth_result import SynthResult
from wingrid.host.silicon.synthesis import netlist, netlist_path
from wingrid.host.silicon.target import Target
from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.tools import Tools

Says = Callable[[str], None]
"""Hears what is being done now."""


def synthesised(
    config: AcceleratorConfig, target: Target, *, seeds: Sequence[int] = (), says: Says = lambda _: None
) -> SynthResult:
    """Synthesise the accelerator, and place and route it with each seed.

    Whatever was done before comes from the cache. Raises ``ToolMissing``, and ``BuildError`` if a tool fails, as the
    router does where the accelerator does not fit.
    """
    started = time.perf_counter()
    tools, family = Tools(), FAMILIES[target.family]
    try:
        says("generating Verilog")
        text, files = verilog.generate(config), parts(config)
        says(f"yosys for {target.family}")
        path = netlist_path(text, target, tools)
        areas = area_by_part(netlist(path), family, files)
        routes = []
        for seed in seeds:
            says(f"nextpnr for {target.name}, seed {seed}")
            routes.append(routed(path, target, seed, list(files), tools))
    except BaseException:
        tools.stop()
        raise
    return SynthResult(config, target, areas, files, routes, time.perf_counter() - started)
