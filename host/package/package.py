"""All files of a package, for one configuration."""

from __future__ import annotations

import json
from importlib import resources

from wingrid.host.drivers.headers import register_header
from wingrid.host.package.fusesoc import core_file
from wingrid.host.package.ip_xact import component_xml
from wingrid.host.package.system_rdl import system_rdl
from wingrid.host.package.vivado import block_design, boards, script_name
from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.ip_wrapper import outside


def package_files(config: AcceleratorConfig, *, register_slices: bool = False) -> dict[str, bytes]:
    """Content by file name, to be written into one folder: the Verilog and its manifest, and what other tools read.

    The Verilog is that of ``verilog.files`` with the wrapper for IP packagers, ``docs/package.md`` says what each other
    file is. Equal arguments give equal bytes.
    """
    files = verilog.files(config, ip_wrapper=True, register_slices=register_slices)
    manifest = json.loads(files[f"{verilog.TOP}.json"])
    ports = list(outside(config, manifest["ports"]).values())
    sources = list(manifest["files"])
    version = _packaged_version(manifest["wingrid"])
    texts = {
        "wingrid.rdl": system_rdl(config),
        "wingrid_registers.h": register_header(),
        "component.xml": component_xml(config, ports, sources, version),
        "wingrid.core": core_file(sources, version),
        **{script_name(board): block_design(config, board, version) for board in boards().values()},
    }
    shipped = resources.files("wingrid.host.package") / "shipped"
    return {
        **files,
        **{name: text.encode() for name, text in texts.items()},
        "wingrid_litex.py": (shipped / "wingrid_litex.py").read_bytes(),
    }


def _packaged_version(version: str) -> str:
    """Packagers compare versions as numbers: a source tree that was not installed counts as 0."""
    return version if version[:1].isdigit() else "0"
