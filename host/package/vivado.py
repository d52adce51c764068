"""Vivado block designs around module ``wingrid_ip``, as Tcl: processing system, interconnects, reset, interrupt.

The control master of the processing system reaches the registers through one SmartConnect, and the accelerator reaches
memory through another, which also adapts widths, bursts and protocols. All is in one clock domain. What Vivado calls
its cells, pins, settings and segments was written from memory, and has not been tried in Vivado.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources

from wingrid.host.package.ip_xact import ADDRESS_BLOCK, DECODED_BYTES, LIBRARY, VENDOR
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.ip_wrapper import CLOCK, INTERRUPT, MEMORY, NAME, REGISTERS, RESET

_CONTROL_SPACE = "Data"
"""The address space of the processing system's masters, on either family."""


@dataclass(frozen=True)
class ProcessingSystem:
    """What a family calls the parts of its processing system that the design uses."""

    vlnv: str
    rule: str
    settings: tuple[tuple[str, str], ...]
    """Configuration beside the board's; ``{clock_mhz}`` stands for the clock, ``{memory_bits}`` for a width."""
    clock: str
    reset: str
    interrupt: str
    control: str
    """The master that reaches the registers."""
    memory: str
    """The slave that reaches DRAM."""
    bus_clocks: tuple[str, ...]
    memory_segments: tuple[tuple[str, int], ...]
    """Address segments of DRAM, each with the width in bits that addresses need to reach all of it."""
    registers_at: int
    """Where the registers are put, in the range of ``control``."""
    memory_bits: tuple[int, ...]
    """Widths that ``memory`` can have, ascending."""


FAMILIES = {
    "zynq": ProcessingSystem(
        vlnv="xilinx.com:ip:processing_system7:5.5",
        rule="xilinx.com:bd_rule:processing_system7",
        settings=(
            ("PCW_USE_M_AXI_GP0", "1"),
            ("PCW_USE_S_AXI_HP0", "1"),
            ("PCW_S_AXI_HP0_DATA_WIDTH", "{memory_bits}"),
            ("PCW_USE_FABRIC_INTERRUPT", "1"),
            ("PCW_IRQ_F2P_INTR", "1"),
            ("PCW_EN_CLK0_PORT", "1"),
            ("PCW_FPGA0_PERIPHERAL_FREQMHZ", "{clock_mhz}"),
        ),
        clock="FCLK_CLK0",
        reset="FCLK_RESET0_N",
        interrupt="IRQ_F2P",
        control="M_AXI_GP0",
        memory="S_AXI_HP0",
        bus_clocks=("M_AXI_GP0_ACLK", "S_AXI_HP0_ACLK"),
        memory_segments=(("S_AXI_HP0/HP0_DDR_LOWOCM", 30),),
        registers_at=0x4000_0000,
        memory_bits=(32, 64),
    ),
    "zynqmp": ProcessingSystem(
        vlnv="xilinx.com:ip:zynq_ultra_ps_e",
        rule="xilinx.com:bd_rule:zynq_ultra_ps_e",
        settings=(
            ("PSU__USE__M_AXI_GP0", "1"),
            ("PSU__USE__M_AXI_GP1", "0"),
            ("PSU__USE__M_AXI_GP2", "0"),
            ("PSU__USE__S_AXI_GP2", "1"),
            ("PSU__SAXIGP2__DATA_WIDTH", "{memory_bits}"),
            ("PSU__USE__IRQ0", "1"),
            ("PSU__FPGA_PL0_ENABLE", "1"),
            ("PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ", "{clock_mhz}"),
        ),
        clock="pl_clk0",
        reset="pl_resetn0",
        interrupt="pl_ps_irq0",
        control="M_AXI_HPM0_FPD",
        memory="S_AXI_HP0_FPD",
        bus_clocks=("maxihpm0_fpd_aclk", "saxihp0_fpd_aclk"),
        memory_segments=(("SAXIGP2/HP0_DDR_LOW", 31), ("SAXIGP2/HP0_DDR_HIGH", 36)),
        registers_at=0xA000_0000,
        memory_bits=(32, 64, 128),
    ),
}


@dataclass(frozen=True)
class Board:
    """A board and the clock that the design asks its processing system for."""

    name: str
    title: str
    part: str
    board_part: str
    family: str
    clock_mhz: int


def boards() -> dict[str, Board]:
    """The boards of ``boards.toml`` by name."""
    text = (resources.files("wingrid.host.package") / "boards.toml").read_text()
    return {name: Board(name, **values) for name, values in tomllib.loads(text).items()}


def block_design(config: AcceleratorConfig, board: Board, version: str) -> str:
    """Tcl that makes project, block design and, asked for, a bitstream, from the package in the script's own folder.

    ``version`` is that of the packaged module.
    """
    system = FAMILIES[board.family]
    width = max(bits for bits in system.memory_bits if bits <= 8 * config.bus_bytes)
    filled = {"{clock_mhz}": str(board.clock_mhz), "{memory_bits}": str(width)}
    settings = [f"    CONFIG.{name} {{{filled.get(value, value)}}} \\" for name, value in system.settings]
    clocked = [f"accelerator/{CLOCK}", "control/aclk", "memory/aclk", "reset/slowest_sync_clk"]
    clocked += [f"processor/{pin}" for pin in system.bus_clocks]
    # Zynq-7000's board wires come from its automation, UltraScale+'s are inside of its cell.
    external = 'make_external "FIXED_IO, DDR" ' if board.family == "zynq" else ""
    return "\n".join(
        [
            f"# A Vivado block design with the accelerator for {board.title}. Generated, do not edit.",
            "#",
            "# Project and block design; with the argument a bitstream too, and an .xsa:",
            "#",
            f"#     vivado -mode batch -source {script_name(board)} [-tclargs bitstream]",
            "#",
            "# This file has NOT been run in Vivado. Its commands were checked by a Tcl interpreter that knows the",
            "# cells, pins and interfaces named here, not by Vivado. The board files must be installed.",
            "",
            "set folder [file dirname [file normalize [info script]]]",
            f"set project wingrid_{board.name}",
            f"create_project $project [file join $folder $project] -part {board.part}",
            f"set_property board_part {board.board_part} [current_project]",
            "set_property ip_repo_paths $folder [current_project]",
            "update_ip_catalog",
            "create_bd_design design_1",
            "",
            f"create_bd_cell -type ip -vlnv {system.vlnv} processor",
            f"apply_bd_automation -rule {system.rule} \\",
            f'    -config {{{external}apply_board_preset "1"}} [get_bd_cells processor]',
            "set_property -dict [list \\",
            *settings,
            "] [get_bd_cells processor]",
            f"create_bd_cell -type ip -vlnv {VENDOR}:{LIBRARY}:{NAME}:{version} accelerator",
            "create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset:5.0 reset",
            *_interconnect("control"),
            *_interconnect("memory"),
            "",
            _interfaces(f"processor/{system.control}", "control/S00_AXI"),
            _interfaces("control/M00_AXI", f"accelerator/{REGISTERS}"),
            _interfaces(f"accelerator/{MEMORY}", "memory/S00_AXI"),
            _interfaces("memory/M00_AXI", f"processor/{system.memory}"),
            *_pins(f"processor/{system.clock}", *clocked),
            *_pins(f"processor/{system.reset}", "reset/ext_reset_in"),
            *_pins("reset/peripheral_aresetn", f"accelerator/{RESET}"),
            *_pins("reset/interconnect_aresetn", "control/aresetn", "memory/aresetn"),
            *_pins(f"accelerator/{INTERRUPT}", f"processor/{system.interrupt}"),
            "",
            f"assign_bd_address -offset 0x{system.registers_at:08X} -range 0x{DECODED_BYTES:X} \\",
            f"    -target_address_space [get_bd_addr_spaces processor/{_CONTROL_SPACE}] \\",
            f"    [get_bd_addr_segs accelerator/{REGISTERS}/{ADDRESS_BLOCK}]",
            *(
                f"assign_bd_address -target_address_space [get_bd_addr_spaces accelerator/{MEMORY}] \\\n"
                f"    [get_bd_addr_segs processor/{segment}]"
                for segment, bits in system.memory_segments
                if bits <= config.address_bits
            ),
            "validate_bd_design",
            "save_bd_design",
            "",
            "add_files -norecurse [make_wrapper -files [get_files design_1.bd] -top]",
            "set_property top design_1_wrapper [current_fileset]",
            'if {"bitstream" in $argv} {',
            "    launch_runs impl_1 -to_step write_bitstream",
            "    wait_on_run impl_1",
            "    write_hw_platform -fixed -include_bit -force [file join $folder $project.xsa]",
            "}",
            "",
        ]
    )


def script_name(board: Board) -> str:
    """The file of a board's block design."""
    return f"vivado_{board.name}.tcl"


def _interconnect(name: str) -> list[str]:
    sizes = " ".join(f"CONFIG.{what} {{1}}" for what in ("NUM_SI", "NUM_MI", "NUM_CLKS"))
    return [
        f"create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.0 {name}",
        f"set_property -dict [list {sizes}] [get_bd_cells {name}]",
    ]


def _interfaces(master: str, slave: str) -> str:
    return f"connect_bd_intf_net [get_bd_intf_pins {master}] [get_bd_intf_pins {slave}]"


def _pins(driver: str, *driven: str) -> list[str]:
    return [f"connect_bd_net [get_bd_pins {driver}] [get_bd_pins {pin}]" for pin in driven]
