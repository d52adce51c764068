"""The core description that FuseSoC reads (CAPI2), with a target that lints."""

from __future__ import annotations

from collections.abc import Iterable

from wingrid.hw.ip_wrapper import NAME
from wingrid.sim.rtl.verilator import WAIVERS

LIBRARY = "wingrid"
"""Vendor, library and name of the core alike."""


def core_file(sources: Iterable[str], version: str) -> str:
    """``wingrid.core``: Verilog ``sources`` with ``wingrid_ip`` at the top. Version ``0`` stands for one not released.

    The target ``lint`` runs Verilator with all warnings but those that the generated text raises by nature.
    """
    waived = [f"          - -Wno-{name}" for name in sorted(WAIVERS)]
    return "\n".join(
        [
            "CAPI=2:",
            "# Generated, do not edit.",
            f"name: {LIBRARY}:{LIBRARY}:{LIBRARY}:{version}",
            "description: A CNN accelerator, AXI4 master and AXI4-Lite slave",
            "",
            "filesets:",
            "  rtl:",
            "    files:",
            *(f"      - {name}" for name in sources),
            "    file_type: verilogSource",
            "",
            "targets:",
            "  default: &default",
            "    filesets: [rtl]",
            f"    toplevel: {NAME}",
            "",
            "  lint:",
            "    <<: *default",
            "    description: Verilator's linter",
            "    default_tool: verilator",
            "    tools:",
            "      verilator:",
            "        mode: lint-only",
            "        verilator_options:",
            "          - -Wall",
            *waived,
            "",
        ]
    )
