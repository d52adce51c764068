"""The SoC's Verilog and addresses, from LiteX in a process of its own, and the library that simulates it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wingrid.host.errors import UserError
from wingrid.host.soc.layout import ADDRESS_BITS, BUS_BYTES, BUSES, TOP
from wingrid.host.soc.simulator import HARNESS, WAIVERS
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.rtl import build
from wingrid.sim.tools import ToolMissing, Tools

NEEDED = {"litex": "litex", "migen": "migen", "pythondata_cpu_vexriscv": "pythondata-cpu-vexriscv"}
"""Modules, and the packages that bring them."""

REGISTERS = {
    "UART_RXTX": "uart_rxtx",
    "UART_TXFULL": "uart_txfull",
    "WINGRID_EV_ENABLE": "wingrid_ev_enable",
}
"""What the firmware calls LiteX's registers."""

MEMORIES = {"ROM": "rom", "SRAM": "sram", "MAIN_RAM": "main_ram", "WINGRID_REGISTERS": "wingrid_registers"}
"""What the firmware calls LiteX's regions; with ``_BYTES`` it is their size."""


@dataclass(frozen=True)
class SocHardware:
    """The SoC around an accelerator, on one of ``BUSES``."""

    memory: str
    text: str = field(repr=False)
    """All of its Verilog."""
    told: str = field(repr=False)
    """Its addresses as LiteX writes them, JSON."""

    @property
    def addresses(self) -> dict[str, int]:
        """Addresses, sizes and the accelerator's interrupt, by the firmware's names."""
        told = json.loads(self.told)
        found = {name: told["csr_registers"][register]["addr"] for name, register in REGISTERS.items()}
        for name, region in MEMORIES.items():
            found[name] = told["memories"][region]["base"]
            found[f"{name}_BYTES"] = told["memories"][region]["size"]
        return {**found, "WINGRID_INTERRUPT": told["constants"]["wingrid_interrupt"]}

    def library(self, progress: Callable[[str], None] | None = None) -> Path:
        """The library that simulates it, from the cache or built now. Raises ``BuildError`` or ``ToolMissing``."""
        return build.library(self.text, BUS_BYTES, harness=HARNESS, top=TOP, waivers=WAIVERS, progress=progress)


def soc_hardware(package: Mapping[str, bytes], config: AcceleratorConfig, memory: str, ram_bytes: int) -> SocHardware:
    """The SoC for files of an accelerator's package, with ``ram_bytes`` of memory, a power of two.

    Raises ``UserError`` for a memory that no SoC has and for an accelerator that LiteX's bus cannot take,
    ``ToolMissing`` without LiteX.
    """
    require_soc(config, memory)
    text, told = by_litex("wingrid.host.soc.litex_soc", TOP, package, memory, ram_bytes)
    return SocHardware(memory, text, told)


def by_litex(program: str, top: str, package: Mapping[str, bytes], memory: str, ram_bytes: int) -> tuple[str, str]:
    """The Verilog of a module ``top``, and its addresses, as a Python module that speaks with LiteX writes them.

    Raises ``ToolMissing`` without LiteX, and ``BuildError``.
    """
    require_litex()
    with tempfile.TemporaryDirectory(prefix="wingrid-") as name:
        folder = Path(name)
        for file, content in package.items():
            (folder / file).write_bytes(content)
        command = [sys.executable, "-m", program, str(folder), str(folder), BUSES[memory], str(ram_bytes)]
        # The tool works in another folder, where relative paths to modules lead nowhere.
        paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
        Tools().call(command, "LiteX", folder, {"PYTHONPATH": paths})
        return (folder / f"{top}.v").read_text(), (folder / "soc.json").read_text()


def require_litex() -> None:
    """Raise ``ToolMissing`` without LiteX and VexRiscv."""
    for module, name in NEEDED.items():
        if importlib.util.find_spec(module) is None:
            raise ToolMissing(
                f"the Python package {name} is missing; install what a SoC needs with: pip install 'wingrid[soc]'"
            )


def require_soc(config: AcceleratorConfig, memory: str) -> None:
    """Raise ``UserError`` unless there is a SoC with this memory for this accelerator."""
    if memory not in BUSES:
        raise UserError(f"no SoC has the memory {memory}; there are {', '.join(BUSES)}")
    for name, wanted in (("address_bits", ADDRESS_BITS), ("bus_bytes", BUS_BYTES)):
        if (value := getattr(config, name)) != wanted:
            raise UserError(f"configuration field {name} = {value} must be {wanted}, as the SoC's bus has")


def litex_version() -> str:
    """Of the installed package."""
    return importlib.metadata.version("litex")
