"""Block designs, run by a Tcl interpreter whose Vivado knows what cells, pins, interfaces and segments there are.

The stand-in refuses what is not there, what is connected twice, and whatever stays unconnected at the end. What the
processing systems have is stated here by hand, from AMD's PG082 and PG201.
"""

from __future__ import annotations

import tkinter
from collections.abc import Callable
from pathlib import Path

import pytest
from packaged import around, bare

from wingrid.host.package.edges import Edges
from wingrid.host.package.vivado import Board, block_design, boards, script_name

ZYNQ = "xilinx.com:ip:processing_system7:5.5"
ZYNQMP = "xilinx.com:ip:zynq_ultra_ps_e"
RESET = "xilinx.com:ip:proc_sys_reset:5.0"
SMARTCONNECT = "xilinx.com:ip:smartconnect:1.0"

PINS = {
    ZYNQ: {"FCLK_CLK0": "O", "FCLK_RESET0_N": "O", "M_AXI_GP0_ACLK": "I", "S_AXI_HP0_ACLK": "I", "IRQ_F2P": "I"},
    ZYNQMP: {"pl_clk0": "O", "pl_resetn0": "O", "maxihpm0_fpd_aclk": "I", "saxihp0_fpd_aclk": "I", "pl_ps_irq0": "I"},
    RESET: {"slowest_sync_clk": "I", "ext_reset_in": "I", "peripheral_reset": "O", "peripheral_aresetn": "O",
            "interconnect_aresetn": "O"},
    SMARTCONNECT: {"aclk": "I", "aresetn": "I"},
}  # fmt: skip
INTERFACES = {
    ZYNQ: {"M_AXI_GP0": "master", "S_AXI_HP0": "slave"},
    ZYNQMP: {"M_AXI_HPM0_FPD": "master", "S_AXI_HP0_FPD": "slave"},
    RESET: {},
    SMARTCONNECT: {"S00_AXI": "slave", "M00_AXI": "master"},
}
SEGMENTS = {ZYNQ: {"S_AXI_HP0/HP0_DDR_LOWOCM"}, ZYNQMP: {"SAXIGP2/HP0_DDR_LOW", "SAXIGP2/HP0_DDR_HIGH"}}
ENABLED = {
    ZYNQ: {"PCW_USE_M_AXI_GP0", "PCW_USE_S_AXI_HP0", "PCW_USE_FABRIC_INTERRUPT", "PCW_IRQ_F2P_INTR"},
    ZYNQMP: {"PSU__USE__M_AXI_GP0", "PSU__USE__S_AXI_GP2", "PSU__USE__IRQ0", "PSU__FPGA_PL0_ENABLE"},
}
"""Settings without which a processing system does not have the pins above."""
WIDTH = {ZYNQ: "PCW_S_AXI_HP0_DATA_WIDTH", ZYNQMP: "PSU__SAXIGP2__DATA_WIDTH"}


class VivadoStandIn:
    """Commands of Vivado that build a block design, with the checks of which they are capable without a chip."""

    def __init__(self, edges: Edges) -> None:
        self.edges = edges
        self.cells: dict[str, str] = {}
        self.settings: dict[str, dict[str, str]] = {}
        self.project: dict[str, str] = {}
        self.drivers: dict[str, str] = {}
        """What drives each input pin, and each slave."""
        self.assigned: list[tuple[str, ...]] = []
        self.done: list[str] = []
        self.tcl = tkinter.Tcl()
        for name in dir(self):
            if name.startswith("do_"):
                self.tcl.createcommand(name.removeprefix("do_"), self._told(getattr(self, name)))
        for name in ("create_project", "update_ip_catalog", "create_bd_design", "save_bd_design", "add_files"):
            self.tcl.createcommand(name, self._told(self._noted(name)))
        for name in ("launch_runs", "wait_on_run", "write_hw_platform"):
            self.tcl.createcommand(name, self._told(self._noted(name)))
        self.tcl.createcommand("current_project", lambda: "project")
        self.tcl.createcommand("current_fileset", lambda: "sources_1")
        self.tcl.createcommand("get_files", lambda name: name)
        self.tcl.createcommand("make_wrapper", lambda *arguments: "wrapper.v")
        self.error: Exception | None = None

    def run(self, script: str, folder: Path, *arguments: str) -> None:
        """Raises ``AssertionError`` at the first command that cannot be."""
        path = folder / "script.tcl"
        path.write_text(script)
        self.tcl.call("set", "argv", self.tcl.call("list", *arguments))
        try:
            self.tcl.call("source", str(path))
        except tkinter.TclError as error:
            raise AssertionError(f"{self.error or error}") from error

    def _told(self, command: Callable[..., object]) -> Callable[..., object]:
        def called(*arguments: str) -> object:
            try:
                return command(*arguments) or ""
            except Exception as error:
                self.error = error
                raise

        return called

    def _noted(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.done.append(name)

    @property
    def package(self) -> str:
        return f"wingrid:wingrid:{self.edges.module}:1.2.3"

    def pins(self, cell: str) -> dict[str, str]:
        if self.cells[cell] == self.package:
            directions = {"input": "I", "output": "O"}
            wires = (self.edges.clock, self.edges.reset, self.edges.interrupt)
            return {port.name: directions[port.direction] for port in wires}
        return PINS[self.cells[cell]]

    def interfaces(self, cell: str) -> dict[str, str]:
        if self.cells[cell] == self.package:
            return {bus.name: "master" if bus.master else "slave" for bus in self.edges.buses}
        return INTERFACES[self.cells[cell]]

    def do_create_bd_cell(self, *arguments: str) -> None:
        kind, ip, option, vlnv, name = arguments
        assert (kind, ip, option) == ("-type", "ip", "-vlnv")
        assert vlnv in (*PINS, self.package), vlnv
        assert name not in self.cells
        self.cells[name] = vlnv

    def do_get_bd_cells(self, name: str) -> str:
        assert name in self.cells, name
        return name

    def do_apply_bd_automation(self, rule: str, name: str, config: str, text: str, cell: str) -> None:
        assert (rule, config) == ("-rule", "-config")
        assert name.split(":")[-1] == self.cells[cell].split(":")[2]
        assert 'apply_board_preset "1"' in text
        self.done.append("preset")

    def do_set_property(self, first: str, *rest: str) -> None:
        if first != "-dict":
            self.project[first] = rest[0]
            return
        pairs, cell = rest
        words = self.tcl.splitlist(pairs)
        assert cell in self.cells
        self.settings.setdefault(cell, {}).update(
            {name.removeprefix("CONFIG."): value for name, value in zip(words[::2], words[1::2], strict=True)}
        )

    def do_get_bd_pins(self, path: str) -> str:
        cell, pin = path.split("/")
        assert pin in self.pins(cell), f"{path} is no pin"
        return path

    def do_get_bd_intf_pins(self, path: str) -> str:
        cell, pin = path.split("/")
        assert pin in self.interfaces(cell), f"{path} is no interface"
        return path

    def do_connect_bd_net(self, driver: str, driven: str) -> None:
        directions = [self.pins(cell)[pin] for cell, pin in (path.split("/") for path in (driver, driven))]
        assert directions == ["O", "I"], f"{driver} cannot drive {driven}"
        assert driven not in self.drivers, f"{driven} has two drivers"
        self.drivers[driven] = driver

    def do_connect_bd_intf_net(self, master: str, slave: str) -> None:
        kinds = [self.interfaces(cell)[pin] for cell, pin in (path.split("/") for path in (master, slave))]
        assert kinds == ["master", "slave"], f"{master} cannot lead to {slave}"
        assert slave not in self.drivers
        assert master not in self.drivers.values()
        self.drivers[slave] = master

    def do_get_bd_addr_spaces(self, path: str) -> str:
        spaces = {f"accelerator/{self.edges.memory.name}", "processor/Data"}
        assert path in spaces, path
        return path

    def do_get_bd_addr_segs(self, path: str) -> str:
        segments = {f"processor/{segment}" for segment in SEGMENTS[self.cells["processor"]]}
        assert path in {*segments, f"accelerator/{self.edges.registers.name}/registers"}, path
        return path

    def do_assign_bd_address(self, *arguments: str) -> None:
        self.assigned.append(arguments)

    def do_validate_bd_design(self) -> None:
        """Everything of every cell is connected, and the processor's interfaces are switched on."""
        for cell in self.cells:
            inputs = [pin for pin, direction in self.pins(cell).items() if direction == "I"]
            slaves = [name for name, kind in self.interfaces(cell).items() if kind == "slave"]
            masters = [name for name, kind in self.interfaces(cell).items() if kind == "master"]
            for name in (*inputs, *slaves):
                assert f"{cell}/{name}" in self.drivers, f"{cell}/{name} is not connected"
            for name in masters:
                assert f"{cell}/{name}" in self.drivers.values(), f"{cell}/{name} is not connected"
        processor = self.cells["processor"]
        on = {name for name, value in self.settings["processor"].items() if value == "1"}
        assert ENABLED[processor] <= on, "an interface of the processor is switched off"
        assert len(self.assigned) >= 2
        self.done.append("validated")


def vivado(edges: Edges, script: str, folder: Path, *arguments: str) -> VivadoStandIn:
    stand_in = VivadoStandIn(edges)
    stand_in.run(script, folder, *arguments)
    return stand_in


EDGES = {"accelerator": bare, "module around it": around}


@pytest.mark.parametrize("edges", EDGES.values(), ids=EDGES)
@pytest.mark.parametrize("board", boards().values(), ids=boards())
def test_the_design_is_whole(board: Board, edges: Callable[[], Edges], tmp_path: Path) -> None:
    module = edges()
    done = vivado(module, block_design(module, board, "1.2.3"), tmp_path)
    assert done.project == {
        "board_part": board.board_part, "ip_repo_paths": str(tmp_path), "top": "design_1_wrapper"
    }  # fmt: skip
    assert done.done[-3:] == ["validated", "save_bd_design", "add_files"]
    # One clock for all, from the processing system.
    clocks = {pin: driver for pin, driver in done.drivers.items() if "clk" in pin.lower()}
    assert len(clocks) == 6
    assert len(set(clocks.values())) == 1
    reset = "reset/peripheral_aresetn" if module.reset_active_low else "reset/peripheral_reset"
    assert done.drivers[f"accelerator/{module.reset.name}"] == reset
    # The control master leads to the registers, the accelerator's to memory, through a SmartConnect each.
    control, memory = f"accelerator/{module.registers.name}", f"accelerator/{module.memory.name}"
    assert done.drivers[control] == "control/M00_AXI"
    assert done.drivers["control/S00_AXI"].startswith("processor/M_AXI")
    assert done.drivers["memory/S00_AXI"] == memory
    assert {slave for slave, master in done.drivers.items() if master == "memory/M00_AXI"} <= {
        "processor/S_AXI_HP0", "processor/S_AXI_HP0_FPD"
    }  # fmt: skip
    assert done.settings["processor"][WIDTH[done.cells["processor"]]] == "64"


@pytest.mark.parametrize(("address_bits", "segments"), [(32, ["HP0_DDR_LOW"]), (40, ["HP0_DDR_LOW", "HP0_DDR_HIGH"])])
def test_all_memory_that_addresses_reach_is_assigned(address_bits: int, segments: list[str], tmp_path: Path) -> None:
    module = around(address_bits)
    registers, *memory = vivado(module, block_design(module, boards()["kv260"], "1.2.3"), tmp_path).assigned
    assert registers[:4] == ("-offset", "0xA0000000", "-range", "0x1000")
    assert registers[-2:] == ("processor/Data", "accelerator/S_AXI/registers")
    assert [assigned[1] for assigned in memory] == ["accelerator/M_AXI"] * len(segments)
    assert [assigned[2].split("/")[-1] for assigned in memory] == segments


def test_a_bitstream_is_made_when_asked_for(tmp_path: Path) -> None:
    script = block_design(bare(), boards()["zcu102"], "1.2.3")
    steps = ["launch_runs", "wait_on_run", "write_hw_platform"]
    assert vivado(bare(), script, tmp_path, "bitstream").done[-3:] == steps
    assert not {*steps} & {*vivado(bare(), script, tmp_path).done}


BROKEN = {
    "connect_bd_net [get_bd_pins processor/FCLK_CLK0] [get_bd_pins accelerator/clk]": "accelerator/clk is not",
    "connect_bd_net [get_bd_pins reset/peripheral_reset] [get_bd_pins accelerator/rst]": "accelerator/rst is not",
    "connect_bd_net [get_bd_pins accelerator/interrupt] [get_bd_pins processor/IRQ_F2P]": "IRQ_F2P is not connected",
    "connect_bd_intf_net [get_bd_intf_pins memory/M00_AXI] [get_bd_intf_pins processor/S_AXI_HP0]": "is not connected",
    "    CONFIG.PCW_USE_S_AXI_HP0 {1} \\": "an interface of the processor is switched off",
    "create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset:5.0 reset": "reset",
}


@pytest.mark.parametrize("line", BROKEN)
def test_a_design_that_lacks_a_line_is_refused(line: str, tmp_path: Path) -> None:
    script = block_design(bare(), boards()["pynq_z2"], "1.2.3")
    assert f"{line}\n" in script
    with pytest.raises(AssertionError, match=BROKEN[line]):
        vivado(bare(), script.replace(f"{line}\n", ""), tmp_path)


def test_scripts_are_called_by_their_boards_and_say_that_they_were_not_run() -> None:
    for name, board in boards().items():
        assert script_name(board) == f"vivado_{name}.tcl"
        assert "has NOT been run in Vivado" in block_design(bare(), board, "1.2.3")
