"""The SoC that LiteX makes: VexRiscv, memories, UART, and the accelerator as master and slave on the bus.

    python -m wingrid.host.soc.litex_soc HARDWARE OUT STANDARD RAM_BYTES

writes ``soc.v`` and ``soc.json`` (addresses, as LiteX tells them) into the folder OUT. HARDWARE is a folder with the
files of a package. A program of its own, since LiteX speaks on standard output as it goes, and nothing else needs it.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from litex.build.generic_platform import GenericPlatform, Pins, Subsignal
from litex.gen import LiteXModule
from litex.soc.integration.export import get_csr_json
from litex.soc.integration.soc import SoCRegion
from litex.soc.integration.soc_core import SoCCore
from migen import ClockDomain, If, Signal

from wingrid.host.soc.layout import (
    ADDRESS_BITS,
    BUS_BYTES,
    FIRMWARE_BYTES,
    OWN_BYTES,
    REGISTERS_BASE,
    REGISTERS_BYTES,
    TOP,
)

PINS = [
    ("clk", 0, Pins(1)),
    (
        "serial",
        0,
        *(Subsignal(f"{way}_{name}", Pins(bits)) for way in ("source", "sink")
          for name, bits in (("valid", 1), ("ready", 1), ("data", 8))),
    ),
]  # fmt: skip
"""Besides the clock there are the bytes that the UART sends and receives, one at a time."""

MEMORY = re.compile(r"^(reg \[\d+:0\] (?:rom|main_ram)\[0:\d+\]);$", flags=re.M)
"""A memory that the simulation fills and looks into."""

LOADED = re.compile(r"^initial begin\n\t\$readmemh\(.*\);\nend\n", flags=re.M)
"""Where LiteX reads a memory's first contents from a file."""

RESET_CYCLES = 16

SIMULATED_HERTZ = 100_000_000
"""A clock that nothing depends on where the UART hands over whole bytes."""

DATED = re.compile(r"\A(?://[^\n]*\n|\s*\n)*|^//.* LiteX on .*\n", flags=re.M)
"""What LiteX writes at the start and the end of a file: a picture, its version, the date."""


class _Clock(LiteXModule):
    """Clock domain ``sys``, in reset for the first cycles."""

    def __init__(self, clock: Signal) -> None:
        self.cd_sys = ClockDomain()
        self.cd_start = ClockDomain(reset_less=True)
        passed = Signal(max=RESET_CYCLES + 1)
        self.comb += [
            self.cd_sys.clk.eq(clock),
            self.cd_start.clk.eq(clock),
            self.cd_sys.rst.eq(passed != RESET_CYCLES),
        ]
        self.sync.start += If(passed != RESET_CYCLES, passed.eq(passed + 1))


class Soc(SoCCore):
    """On a bus of LiteX's ``standard``, with ``ram_bytes`` that both processors share.

    The platform has a ``clk`` of ``hertz`` and what its UART is connected to, of which ``uart`` tells.
    """

    def __init__(
        self,
        platform: GenericPlatform,
        module: ModuleType,
        standard: str,
        ram_bytes: int,
        hertz: int,
        **uart: str | int,
    ) -> None:
        self.crg = _Clock(platform.request("clk"))
        super().__init__(
            platform,
            clk_freq=hertz,
            bus_standard=standard,
            bus_data_width=8 * BUS_BYTES,
            bus_address_width=ADDRESS_BITS,
            cpu_type="vexriscv",
            cpu_variant="standard",
            integrated_rom_size=FIRMWARE_BYTES,
            integrated_sram_size=OWN_BYTES,
            integrated_main_ram_size=ram_bytes,
            with_timer=False,
            ident="",
            **uart,
        )
        self.wingrid = module.Wingrid(platform, ADDRESS_BITS)
        self.bus.add_master("wingrid", master=self.wingrid.memory)
        registers = SoCRegion(origin=REGISTERS_BASE, size=REGISTERS_BYTES, cached=False)
        self.bus.add_slave("wingrid_registers", self.wingrid.registers, registers)
        self.irq.add("wingrid")


def write(hardware: Path, out: Path, standard: str, ram_bytes: int) -> None:
    """Write ``soc.v``, all sources in one file without a date in it, and ``soc.json``."""
    platform = GenericPlatform("simulation", PINS)
    module = accelerator_module(hardware)
    soc = Soc(platform, module, standard, ram_bytes, SIMULATED_HERTZ, uart_name="sim")
    leave(soc, out, TOP, lambda text: MEMORY.sub(r"\1 /* verilator public_flat_rw */;", text))


def leave(soc: Soc, out: Path, top: str, memories: Callable[[str], str]) -> None:
    """Write the files of a SoC, whose module is called ``top``; ``memories`` changes how its text declares them."""
    soc.finalize()
    text = DATED.sub("", soc.platform.get_verilog(soc, name=top).main_source)
    text = memories(LOADED.sub("", text))
    parts = [text, *(Path(source[0]).read_text() for source in soc.platform.sources)]
    (out / f"{top}.v").write_text("\n".join(parts))
    (out / "soc.json").write_text(get_csr_json(soc.csr_regions, soc.constants, soc.mem_regions))


def accelerator_module(hardware: Path) -> ModuleType:
    """The package's module for LiteX."""
    path = hardware / "wingrid_litex.py"
    spec = importlib.util.spec_from_file_location("wingrid_litex", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
