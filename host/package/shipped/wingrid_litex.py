"""The accelerator as a LiteX module; takes ports and widths from the manifest ``wingrid.json`` beside it.

    self.wingrid = Wingrid(self.platform)
    self.bus.add_master("wingrid", master=self.wingrid.memory)
    self.bus.add_slave("wingrid", self.wingrid.registers, SoCRegion(origin=0x9000_0000, size=0x1000, cached=False))
    self.irq.add("wingrid")

The machine's AXI4 bursts reach LiteX's bus through its own adapters. Registers must not be cached: of VexRiscv, that is
0x8000_0000 and above. LiteDRAM's AXI port fails on bursts (enjoy-digital/litex issue 2301).
"""

from __future__ import annotations

import json
from pathlib import Path

from litex.build.generic_platform import GenericPlatform
from litex.gen import LiteXModule
from litex.soc.interconnect import axi
from litex.soc.interconnect.csr_eventmanager import EventManager, EventSourceLevel
from migen import ClockSignal, Instance, ResetSignal, Signal

FOLDER = Path(__file__).resolve().parent
"""Holds manifest and Verilog."""

BUSES = {"m_axi": "memory", "s_axil": "registers"}
"""Prefix of a bus's ports, and what it is called here."""

BUS_ADDRESS_BITS = 32
"""Width of addresses on LiteX's bus, which its adapters want of every slave; the registers take the lower bits."""


class Wingrid(LiteXModule):
    """Module ``wingrid`` in clock domain ``sys``.

    ``memory`` is its AXI4 master, ``registers`` its AXI4-Lite slave, ``interrupt`` its level interrupt, and ``ev`` the
    same as an event source of LiteX, for ``irq.add``. The file of its Verilog is added to ``platform``.
    """

    def __init__(self, platform: GenericPlatform) -> None:
        manifest = json.loads((FOLDER / "wingrid.json").read_text())
        ports = {port["name"]: port for port in manifest["ports"]}
        self.memory = axi.AXIInterface(
            data_width=ports["m_axi_wdata"]["width"],
            address_width=ports["m_axi_awaddr"]["width"],
            id_width=ports["m_axi_awid"]["width"],
        )
        self.registers = axi.AXILiteInterface(data_width=ports["s_axil_wdata"]["width"], address_width=BUS_ADDRESS_BITS)
        self.interrupt = Signal()
        self.ev = EventManager()
        self.ev.stopped = EventSourceLevel(description="The machine stopped by itself, or at a fault.")
        self.ev.finalize()
        self.comb += self.ev.stopped.trigger.eq(self.interrupt)

        connected = {
            manifest["clock"]: ClockSignal("sys"),
            manifest["reset"]["port"]: ResetSignal("sys"),
            "interrupt": self.interrupt,
        }
        for prefix, name in BUSES.items():
            connected |= _signals(prefix, getattr(self, name), ports)
        self.specials += Instance(
            manifest["top"],
            **{f"{port['direction'][0]}_{name}": connected[name] for name, port in ports.items() if name in connected},
        )
        for name in manifest["files"]:
            platform.add_source(str(FOLDER / name))


def _signals(prefix: str, bus: object, ports: dict) -> dict:
    """Each port of a bus, and the signal of LiteX's interface that it is."""
    signals = {}
    for channel in ("aw", "w", "b", "ar", "r"):
        start = f"{prefix}_{channel}"
        names = [name.removeprefix(start) for name in ports if name.startswith(start)]
        for name in names:
            port = ports[start + name]
            signal = getattr(getattr(bus, channel), name)
            signals[port["name"]] = signal[: port["width"]] if port["direction"] == "input" else signal
    return signals
