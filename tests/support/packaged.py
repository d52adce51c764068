"""A package for tests: of the accelerator as it is, and the edges of a module around it with AMBA's other names."""

from __future__ import annotations

import functools
import json
from typing import Any

from wingrid.host.package.edges import Edges
from wingrid.host.package.package import package_files
from wingrid.hw.config import AcceleratorConfig

CONFIG = AcceleratorConfig(
    winograd=0,
    rows=2, cols=3, bus_bytes=8, input_buffer=64, weight_buffer=16, accumulators=16, parameter_blocks=4,
    output_buffer=32, burst_beats=4, queue_depth=2, fetch_ahead=2, reads_in_flight=2, writes_in_flight=4,
)  # fmt: skip


@functools.cache
def package() -> dict[str, bytes]:
    """Content by file name."""
    return package_files(CONFIG)


def manifest() -> dict[str, Any]:
    """What the package's ``wingrid.json`` says."""
    return json.loads(package()["wingrid.json"])


def bare() -> Edges:
    """Those of module ``wingrid``."""
    return Edges.of("wingrid", manifest()["ports"])


def around(address_bits: int = 32) -> Edges:
    """Those of a module with ACLK, ARESETN, M_AXI and S_AXI, whose master has so many address bits."""
    names = {"clk": "ACLK", "rst": "ARESETN"}
    ports = [
        {
            "name": names.get(port["name"], port["name"].replace("s_axil_", "s_axi_").upper()),
            "direction": port["direction"],
            "width": address_bits if port["name"] in ("m_axi_araddr", "m_axi_awaddr") else port["width"],
        }
        for port in manifest()["ports"]
    ]
    return Edges.of("wingrid_ip", ports)
