"""A module around the accelerator as AMBA's users and Vivado's IP Integrator name things: ACLK, ARESETN, M_AXI, S_AXI.

Every port says by its attributes what it is (``X_INTERFACE_INFO`` and ``X_INTERFACE_PARAMETER``, Xilinx UG994, "Using
the RTL Module Reference"), so that nothing is left to be inferred from names. Tools that do not know them pass them by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wingrid.hw.config import INSTRUCTION_BYTES, AcceleratorConfig

NAME = "wingrid_ip"
"""Name of the module and of its file."""

BUSES = {"m_axi": "M_AXI", "s_axil": "S_AXI"}
"""The accelerator's buses, and what they are called outside."""


def wrapper(config: AcceleratorConfig, inside: str, ports: Sequence[dict[str, Any]]) -> str:
    """Verilog of module ``wingrid_ip`` around a module ``inside`` with the ports of an accelerator of ``config``.

    ``ports`` have name, direction and width in bits. ``ACLK`` is the clock; ``ARESETN`` resets while it is low, and
    has to be synchronous to it, held for two cycles or more. All other ports are the accelerator's own in upper case.
    """
    parameters = _bus_parameters(config)
    declarations, bindings = [], []
    for port in ports:
        name, told, value = _outside(port["name"])
        lines = []
        if told:
            _, interface, _ = told.split(" ")
            lines.append(f'(* X_INTERFACE_INFO = "{told}" *)')
            # A bus's parameters stand at the first of its ports.
            if values := parameters.pop(interface, None):
                lines.append(f'(* X_INTERFACE_PARAMETER = "XIL_INTERFACENAME {interface}, {values}" *)')
        width = f"[{port['width'] - 1}:0] " if port["width"] > 1 else ""
        lines.append(f"{port['direction']} wire {width}{name}")
        declarations.append("\n".join(f"  {line}" for line in lines))
        bindings.append(f"    .{port['name']}({value})")
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


def _outside(port: str) -> tuple[str, str, str]:
    """A port's name outside, what packagers are told about it, and what the inner port is bound to."""
    if port == "clk":
        return "ACLK", "xilinx.com:signal:clock:1.0 ACLK CLK", "ACLK"
    if port == "rst":
        return "ARESETN", "xilinx.com:signal:reset:1.0 ARESETN RST", "~ARESETN"
    if port == "interrupt":
        return "INTERRUPT", "xilinx.com:signal:interrupt:1.0 INTERRUPT INTERRUPT", "INTERRUPT"
    for prefix, bus in BUSES.items():
        if port.startswith(f"{prefix}_"):
            signal = port.removeprefix(f"{prefix}_").upper()
            return f"{bus}_{signal}", f"xilinx.com:interface:aximm:1.0 {bus} {signal}", f"{bus}_{signal}"
    return port.upper(), "", port.upper()


def _bus_parameters(config: AcceleratorConfig) -> dict[str, str]:
    """What packagers want to know about each interface beside the signals that it has."""
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
    slave: dict[str, int | str] = {"PROTOCOL": "AXI4LITE", "DATA_WIDTH": 32, "READ_WRITE_MODE": "READ_WRITE"}
    told: dict[str, dict[str, int | str]] = {
        "ACLK": {"ASSOCIATED_BUSIF": ":".join(BUSES.values()), "ASSOCIATED_RESET": "ARESETN"},
        "ARESETN": {"POLARITY": "ACTIVE_LOW"},
        "INTERRUPT": {"SENSITIVITY": "LEVEL_HIGH"},
        BUSES["m_axi"]: master,
        BUSES["s_axil"]: slave,
    }
    return {name: ", ".join(f"{key} {value}" for key, value in values.items()) for name, values in told.items()}
