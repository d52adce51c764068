"""What the ports of a module are: clock, reset, interrupt, AXI buses. Read from names and directions alone.

The names are those of AMBA, in either case: ``clk`` or ``ACLK``, ``rst`` or ``ARESETN``, ``m_axi_awaddr``,
``S_AXI_RDATA``. So the same description serves the accelerator and any module around it that keeps to them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

_CLOCK = re.compile(r"a?clk")
_RESET = re.compile(r"(rst|a?reset)(n?)")
_INTERRUPT = "interrupt"
_BUS = re.compile(r"([ms]_axil?)_((?:aw|ar|w|r|b)\w+)")


@dataclass(frozen=True)
class Port:
    """One port of a module; ``width`` in bits."""

    name: str
    direction: str
    """``input`` or ``output``."""
    width: int


@dataclass(frozen=True)
class Bus:
    """An AXI interface: its name and its ports by the signal of AXI that each is, in capitals (``AWADDR``)."""

    name: str
    master: bool
    signals: Mapping[str, Port]

    @property
    def protocol(self) -> str:
        """``AXI4`` or ``AXI4LITE``, which has no bursts."""
        return "AXI4" if "AWLEN" in self.signals else "AXI4LITE"

    @property
    def data_bits(self) -> int:
        return self.signals["WDATA"].width

    @property
    def address_bits(self) -> int:
        return self.signals["AWADDR"].width


@dataclass(frozen=True)
class Edges:
    """A module's ports by what they are."""

    module: str
    ports: tuple[Port, ...]
    """All of them, in the order of the header."""
    clock: Port
    reset: Port
    reset_active_low: bool
    interrupt: Port
    memory: Bus
    """The AXI4 master."""
    registers: Bus
    """The AXI4-Lite slave."""

    @property
    def buses(self) -> tuple[Bus, Bus]:
        return self.memory, self.registers

    @classmethod
    def of(cls, module: str, ports: Sequence[Mapping[str, Any]]) -> Edges:
        """``ports`` have name, direction and width, as ``wingrid.hw.verilog.ports`` tells them.

        Raises ``ValueError`` unless there are one clock, one reset, one interrupt, an AXI4 master and an AXI4-Lite
        slave.
        """
        all_ports = tuple(Port(port["name"], port["direction"], port["width"]) for port in ports)
        by_name = {port.name.lower(): port for port in all_ports}
        resets = {name: match for name in by_name if (match := _RESET.fullmatch(name))}
        reset = _only(module, "reset", list(resets))
        buses = _buses(all_ports)
        return cls(
            module=module,
            ports=all_ports,
            clock=by_name[_only(module, "clock", [name for name in by_name if _CLOCK.fullmatch(name)])],
            reset=by_name[reset],
            reset_active_low=resets[reset][2] == "n",
            interrupt=by_name[_only(module, "interrupt", [name for name in by_name if name == _INTERRUPT])],
            memory=_only(module, "AXI4 master", [bus for bus in buses if bus.master and bus.protocol == "AXI4"]),
            registers=_only(
                module, "AXI4-Lite slave", [bus for bus in buses if not bus.master and bus.protocol == "AXI4LITE"]
            ),
        )


def _buses(ports: Sequence[Port]) -> list[Bus]:
    signals: dict[str, dict[str, Port]] = {}
    for port in ports:
        if match := _BUS.fullmatch(port.name.lower()):
            bus = port.name[: len(match[1])]
            signals.setdefault(bus, {})[match[2].upper()] = port
    return [Bus(name, name.lower().startswith("m"), of_bus) for name, of_bus in signals.items()]


def _only(module: str, what: str, found: Sequence[T]) -> T:
    if len(found) != 1:
        raise ValueError(f"module {module} has {len(found)} ports or buses that may be its {what}, and must have one")
    return found[0]
