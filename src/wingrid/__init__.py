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
    from wingrid.host.api.estimating import estimate, sweep
    from wingrid.host.api.hardware import generate_verilog
    from wingrid.host.api.layers import LayerProgram, compile_layer
    from wingrid.host.api.models import fetch, memory_footprint, networks, quantize
    from wingrid.host.api.outcomes import Estimate, Run, Sweep
    from wingrid.host.api.running import ChecksFailed, filter_picture, matmul, run
    from wingrid.host.errors import UserError
    from wingrid.hw.config import AcceleratorConfig, ConfigError
    from wingrid.sim.memory import Dram, MemoryTiming

_HOMES = {
    "host.api.estimating": ("estimate", "sweep"),
    "host.api.hardware": ("generate_verilog",),
    "host.api.layers": ("LayerProgram", "compile_layer"),
    "host.api.models": ("fetch", "memory_footprint", "networks", "quantize"),
    "host.api.outcomes": ("Estimate", "Run", "Sweep"),
    "host.api.running": ("ChecksFailed", "filter_picture", "matmul", "run"),
    "host.errors": ("UserError",),
    "hw.config": ("AcceleratorConfig", "ConfigError"),
    "sim.memory": ("Dram", "MemoryTiming"),
}

__all__ = [
    "AcceleratorConfig",
    "ChecksFailed",
    "ConfigError",
    "Dram",
    "Estimate",
    "LayerProgram",
    "MemoryTiming",
    "Run",
    "Sweep",
    "UserError",
    "compile_layer",
    "estimate",
    "fetch",
    "filter_picture",
    "generate_verilog",
    "matmul",
    "memory_footprint",
    "networks",
    "quantize",
    "run",
    "sweep",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 (of whatever type the name is)
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"wingrid.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
