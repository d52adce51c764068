"""An open CNN accelerator: Amaranth hardware, exact simulators, and a host runtime that counts every cycle.

    from wingrid import estimate, run

    estimate("vgg16", rows=32, cols=32).frame()     # cycles, traffic and energy of each layer
    run("digits", backend="golden").output          # logits, equal to ONNX Runtime's in every bit

Each name is imported when it is first used, so that ``import wingrid`` itself takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wingrid.host.api.comparing import compare
    from wingrid.host.api.estimating import estimate, sweep
    from wingrid.host.api.exploring import Exploration, explore
    from wingrid.host.api.hardware import generate_verilog, verilog_manifest
    from wingrid.host.api.layers import LayerProgram, compile_layer
    from wingrid.host.api.models import fetch, memory_footprint, networks, quantize
    from wingrid.host.api.outcomes import Estimate, Run, Sweep
    from wingrid.host.api.running import filter_picture, matmul, run, run_picture
    from wingrid.host.api.seeing import exciting_patches, show
    from wingrid.host.errors import UserError
    from wingrid.host.execution.network_result import ChecksFailed
    from wingrid.host.networks.pictures import load_picture, save_picture
    from wingrid.hw.config import AcceleratorConfig, ConfigError
    from wingrid.sim.memory import Bridge, Dram, MemoryTiming

_HOMES = {
    "host.api.comparing": ("compare",),
    "host.api.estimating": ("estimate", "sweep"),
    "host.api.exploring": ("Exploration", "explore"),
    "host.api.hardware": ("generate_verilog", "verilog_manifest"),
    "host.api.layers": ("LayerProgram", "compile_layer"),
    "host.api.models": ("fetch", "memory_footprint", "networks", "quantize"),
    "host.api.outcomes": ("Estimate", "Run", "Sweep"),
    "host.api.running": ("filter_picture", "matmul", "run", "run_picture"),
    "host.api.seeing": ("exciting_patches", "show"),
    "host.errors": ("UserError",),
    "host.execution.network_result": ("ChecksFailed",),
    "host.networks.pictures": ("load_picture", "save_picture"),
    "hw.config": ("AcceleratorConfig", "ConfigError"),
    "sim.memory": ("Bridge", "Dram", "MemoryTiming"),
}

__all__ = [
    "AcceleratorConfig",
    "Bridge",
    "ChecksFailed",
    "ConfigError",
    "Dram",
    "Estimate",
    "Exploration",
    "LayerProgram",
    "MemoryTiming",
    "Run",
    "Sweep",
    "UserError",
    "compare",
    "compile_layer",
    "estimate",
    "exciting_patches",
    "explore",
    "fetch",
    "filter_picture",
    "generate_verilog",
    "load_picture",
    "matmul",
    "memory_footprint",
    "networks",
    "quantize",
    "run",
    "run_picture",
    "save_picture",
    "show",
    "sweep",
    "verilog_manifest",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 (of whatever type the name is)
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"wingrid.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
