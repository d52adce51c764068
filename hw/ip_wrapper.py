"""A module around the accelerator as AMBA's users and Vivado's IP Integrator name things: ACLK, ARESETN, M_AXI, S_AXI.

Every port says by its attributes what it is (``X_INTERFACE_INFO`` and ``X_INTERFACE_PARAMETER``, Xilinx UG994, "Using
the RTL Module Reference"), so that nothing is left to be inferred from names. Tools that do not know them pass them by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wingrid.hw.config import INSTRUCTION_BYTES, AcceleratorConfig
from wingrid.hw.registers import REGISTER_ADDRESS_BITS

NAME = "wingrid_ip"
"""Name of the module and of its file."""

CLOCK = "ACLK"
RESET = "ARESETN"
INTERRUPT = "INTERRUPT"
MEMORY = "M_AXI"
"""The AXI4 master."""
REGISTERS = "S_AXI"
"""The AXI4-Lite slave."""

BUSES = {"m_axi": MEMORY, "s_axil": REGISTERS}
"""The accelerator's buses, and what they are called outside."""

WIRES = {"clk": (CLOCK, "CLK"), "rst": (RESET, "RST"), "interrupt": (INTERRUPT, "INTERRUPT")}
"""Its ports that are an interface each: what both are called outside, and what the interface calls the port."""


@dataclass(frozen=True)
class Interface:
    """Ports that packagers take as one, and what they want to know beside the ports."""

    name: str
    library: str
    """Of Xilinx' definitions: ``interface`` for buses, ``signal`` for single wires."""
    kind: str
    """Name of the definition in the library: ``aximm``, ``clock``, ``reset`` or ``interrupt``."""
    drives: bool
    """Whether its other side is driven: a master, or an interrupt."""
    parameters: Mapping[str, int | str]

    @property
    def definition(self) -> str:
        return f"xilinx.com:{self.library}:{self.kind}:1.0"


@dataclass(frozen=True)
class Port:
    """A port of the module; ``direction`` is ``input`` or ``output``, ``width`` in bits."""

    name: str
    direction: str
    width: int
    interface: Interface | None
    """None for what is no part of one."""
    signal: str
    """What the interface calls it, such as ``AWADDR``."""


def outside(config: AcceleratorConfig, ports: Sequence[Mapping[str, Any]]) -> dict[str, Port]:
    """The module's ports by the accelerator's that they are bound to, in the order of ``ports``.

    ``ports`` are those of an accelerator of ``config``, with name, direction and width in bits.
    """
    interfaces = _interfaces(config)
    return {port["name"]: _outside(port, interfaces) for port in ports}


def wrapper(config: AcceleratorConfig, inside: str, ports: Sequence[Mapping[str, Any]]) -> str:
    """Verilog of module ``wingrid_ip`` around a module ``inside`` with the ports of an accelerator of ``config``.

    ``ports`` have name, direction and width in bits. ``ACLK`` is the clock; ``ARESETN`` resets while it is low, and
    has to be synchronous to it, held for two cycles or more. All other ports are the accelerator's own in upper case.
    """
    told: set[str] = set()
    declarations, bindings = [], []
    for inner, port in outside(config, ports).items():
        lines = []
        if interface := port.interface:
            lines.append(f'(* X_INTERFACE_INFO = "{interface.definition} {interface.name} {port.signal}" *)')
            # A bus's parameters stand at the first of its ports.
            if interface.name not in told:
                values = ", ".join(f"{key} {value}" for key, value in interface.parameters.items())
                lines.append(f'(* X_INTERFACE_PARAMETER = "XIL_INTERFACENAME {interface.name}, {values}" *)')
                told.add(interface.name)
        width = f"[{port.width - 1}:0] " if port.width > 1 else ""
        lines.append(f"{port.direction} wire {width}{port.name}")
        declarations.append("\n".join(f"  {line}" for line in lines))
        bindings.append(f"    .{inner}({'~' if port.name == RESET else ''}{port.name})")
    return "\n".join(
        [
            f"// {inside} under the names that AXI's users expect. Generated, do not edit.",
            "",
            f"module {NAME} (",
            ",\n".join(declarations),
            ");",
            f"  {inside} accelerator (",
            ",\n".join(bindings),
            "  );",
            "endmodule",
            "",
        ]
    )


def _outside(port: Mapping[str, Any], interfaces: Mapping[str, Interface]) -> Port:
    inner, direction, width = port["name"], port["direction"], port["width"]
    if inner in WIRES:
        name, signal = WIRES[inner]
        return Port(name, direction, width, interfaces[name], signal)
    for prefix, bus in BUSES.items():
        if inner.startswith(f"{prefix}_"):
            signal = inner.removeprefix(f"{prefix}_").upper()
            return Port(f"{bus}_{signal}", direction, width, interfaces[bus], signal)
    return Port(inner.upper(), direction, width, None, "")


def _interfaces(config: AcceleratorConfig) -> dict[str, Interface]:
    """By name."""
    absent = {f"HAS_{name}": 0 for name in ("LOCK", "QOS", "REGION")}
    master: dict[str, int | str] = {
        "PROTOCOL": "AXI4",
        "DATA_WIDTH": 8 * config.bus_bytes,
        "ADDR_WIDTH": config.address_bits,
        "ID_WIDTH": 1,
        "READ_WRITE_MODE": "READ_WRITE",
        "SUPPORTS_NARROW_BURST": 0,
        # An instruction is fetched in one burst.
        "MAX_BURST_LENGTH": max(config.burst_beats, INSTRUCTION_BYTES // config.bus_bytes),
        "NUM_READ_OUTSTANDING": config.reads_in_flight,
        "NUM_WRITE_OUTSTANDING": config.writes_in_flight,
        **absent,
    }
    slave: dict[str, int | str] = {
        "PROTOCOL": "AXI4LITE",
        "DATA_WIDTH": 32,
        "ADDR_WIDTH": REGISTER_ADDRESS_BITS,
        "READ_WRITE_MODE": "READ_WRITE",
    }
    clock = {"ASSOCIATED_BUSIF": ":".join(BUSES.values()), "ASSOCIATED_RESET": RESET}
    interfaces = (
        Interface(CLOCK, "signal", "clock", False, clock),
        Interface(RESET, "signal", "reset", False, {"POLARITY": "ACTIVE_LOW"}),
        Interface(INTERRUPT, "signal", "interrupt", True, {"SENSITIVITY": "LEVEL_HIGH"}),
        Interface(MEMORY, "interface", "aximm", True, master),
        Interface(REGISTERS, "interface", "aximm", False, slave),
    )
    return {interface.name: interface for interface in interfaces}
