"""The accelerator as a LiteX module; takes ports and widths from the manifest ``wingrid.json`` beside it.

    self.wingrid = Wingrid(self.platform, self.bus.address_width)
    self.bus.add_master("wingrid", master=self.wingrid.memory)
    self.bus.add_slave("wingrid", self.wingrid.registers, SoCRegion(origin=0x9000_0000, size=0x1000, cached=False))
    self.irq.add("wingrid")

The machine's AXI4 bursts reach LiteX's bus through its own adapters. Registers must not be cached: of VexRiscv, that is
0x8000_0000 and above. Main memory begins at 0x4000_0000, so that is the least that BASE may be there. LiteDRAM's AXI
port fails on bursts (enjoy-digital/litex issue 2301).
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


class Wingrid(LiteXModule):
    """Module ``wingrid`` in clock domain ``sys``, for a bus with ``address_width`` bits of address, 32 or 64.

    ``memory`` is its AXI4 master, ``registers`` its AXI4-Lite slave, ``interrupt`` its level interrupt, and ``ev`` the
    same as an event source of LiteX, for ``irq.add``. The file of its Verilog is added to ``platform``. Upper bits that
    the accelerator's addresses do not have are zero. Raises ``ValueError`` where the bus has fewer bits than they have.
    """

    def __init__(self, platform: GenericPlatform, address_width: int = 32) -> None:
        manifest = json.loads((FOLDER / "wingrid.json").read_text())
        ports = {port["name"]: port for port in manifest["ports"]}
        needed = ports["m_axi_awaddr"]["width"]
        if needed > address_width:
            raise ValueError(f"the accelerator has {needed} address bits, and the bus only {address_width}")
        self.memory = axi.AXIInterface(
            data_width=ports["m_axi_wdata"]["width"],
            address_width=address_width,
            id_width=ports["m_axi_awid"]["width"],
        )
        self.registers = axi.AXILiteInterface(data_width=ports["s_axil_wdata"]["width"], address_width=address_width)
        self.interrupt = Signal()
        self.ev = EventManager()
        self.ev.stopped = EventSourceLevel(description="The machine stopped by itself, or at a fault.")
        self.ev.finalize()
        self.comb += self.ev.stopped.trigger.eq(self.interrupt)

        connected = {
            f"i_{manifest['clock']}": ClockSignal("sys"),
            f"i_{manifest['reset']['port']}": ResetSignal("sys"),
            "o_interrupt": self.interrupt,
        }
        for prefix, bus in BUSES.items():
            for channel in ("aw", "w", "b", "ar", "r"):
                start = f"{prefix}_{channel}"
                for name in [name for name in ports if name.startswith(start)]:
                    signal = getattr(getattr(getattr(self, bus), channel), name.removeprefix(start))
                    connected |= self._connection(ports[name], signal)
        self.specials += Instance(manifest["top"], **connected)
        platform.add_source(str(FOLDER / f"{manifest['top']}.v"))

    def _connection(self, port: dict, signal: Signal) -> dict:
        """A port with a signal of its own width, and between that and the bus's what the two have in common."""
        inside = Signal(port["width"], name=port["name"])
        if port["direction"] == "input":
            self.comb += inside.eq(signal)
            return {f"i_{port['name']}": inside}
        self.comb += signal.eq(inside)
        return {f"o_{port['name']}": inside}
