"""Block designs, run by a Tcl interpreter whose Vivado knows what cells, pins, interfaces and segments there are.

The stand-in refuses what is not there, what is connected twice, and whatever stays unconnected at the end. What the
accelerator has it reads from component.xml. What Vivado's own cells have was written down here from memory, without
Vivado or its manuals at hand: it finds designs that are not whole, not names that Vivado does not know.
"""

from __future__ import annotations

import dataclasses
import tkinter
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree
from packaged import CONFIG, FAR, package

from wingrid.host.package.vivado import Board, block_design, boards
from wingrid.hw.config import AcceleratorConfig

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


SPIRIT = {"spirit": "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"}


class VivadoStandIn:
    """Commands of Vivado that build a block design, with the checks of which they are capable without a chip."""

    def __init__(self, component_xml: bytes) -> None:
        component = etree.fromstring(component_xml)
        self.package = ":".join(
            str(component.findtext(f"spirit:{part}", namespaces=SPIRIT))
            for part in ("vendor", "library", "name", "version")
        )
        self.package_pins: dict[str, str] = {}
        self.package_interfaces: dict[str, str] = {}
        for found in component.findall(".//spirit:busInterface", SPIRIT):
            drives = found.find("spirit:master", SPIRIT) is not None
            if found.find("spirit:busType[@spirit:name='aximm']", SPIRIT) is not None:
                name = str(found.findtext("spirit:name", namespaces=SPIRIT))
                self.package_interfaces[name] = "master" if drives else "slave"
            else:
                pin = str(found.findtext(".//spirit:physicalPort/spirit:name", namespaces=SPIRIT))
                self.package_pins[pin] = "O" if drives else "I"
        self.package_space = component.findtext(".//spirit:addressSpace/spirit:name", namespaces=SPIRIT)
        self.package_segment = "/".join(
            str(component.findtext(f".//{place}/spirit:name", namespaces=SPIRIT))
            for place in ("spirit:memoryMap", "spirit:addressBlock")
        )
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

    def pins(self, cell: str) -> dict[str, str]:
        return self.package_pins if self.cells[cell] == self.package else PINS[self.cells[cell]]

    def interfaces(self, cell: str) -> dict[str, str]:
        return self.package_interfaces if self.cells[cell] == self.package else INTERFACES[self.cells[cell]]

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
        spaces = {f"accelerator/{self.package_space}", "processor/Data"}
        assert path in spaces, path
        return path

    def do_get_bd_addr_segs(self, path: str) -> str:
        segments = {f"processor/{segment}" for segment in SEGMENTS[self.cells["processor"]]}
        assert path in {*segments, f"accelerator/{self.package_segment}"}, path
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


def script(board: Board, config: AcceleratorConfig = CONFIG) -> str:
    """For the component of the package, whose interfaces are the same in every configuration."""
    version = etree.fromstring(package()["component.xml"]).findtext("spirit:version", namespaces=SPIRIT)
    return block_design(config, board, str(version))


def vivado(tcl: str, folder: Path, *arguments: str) -> VivadoStandIn:
    stand_in = VivadoStandIn(package()["component.xml"])
    stand_in.run(tcl, folder, *arguments)
    return stand_in


@pytest.mark.parametrize("board", boards().values(), ids=boards())
def test_the_design_is_whole(board: Board, tmp_path: Path) -> None:
    done = vivado(script(board), tmp_path)
    assert done.project == {
        "board_part": board.board_part, "ip_repo_paths": str(tmp_path), "top": "design_1_wrapper"
    }  # fmt: skip
    assert done.done[-3:] == ["validated", "save_bd_design", "add_files"]
    # One clock for all, from the processing system.
    clocks = {pin: driver for pin, driver in done.drivers.items() if "clk" in pin.lower()}
    assert len(clocks) == 6
    assert len(set(clocks.values())) == 1
    assert done.drivers["accelerator/ARESETN"] == "reset/peripheral_aresetn"
    # The control master leads to the registers, the accelerator's to memory, through a SmartConnect each.
    assert done.drivers["accelerator/S_AXI"] == "control/M00_AXI"
    assert done.drivers["control/S00_AXI"].startswith("processor/M_AXI")
    assert done.drivers["memory/S00_AXI"] == "accelerator/M_AXI"
    assert {slave for slave, master in done.drivers.items() if master == "memory/M00_AXI"} <= {
        "processor/S_AXI_HP0", "processor/S_AXI_HP0_FPD"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("board", "bus_bytes", "bits"),
    [("pynq_z2", 4, "32"), ("pynq_z2", 8, "64"), ("pynq_z2", 64, "64"), ("kv260", 16, "128"), ("zcu102", 64, "128")],
)
def test_the_port_to_memory_is_as_wide_as_the_bus_or_as_it_can_be(
    board: str, bus_bytes: int, bits: str, tmp_path: Path
) -> None:
    config = dataclasses.replace(CONFIG, bus_bytes=bus_bytes)
    done = vivado(script(boards()[board], config), tmp_path)
    assert done.settings["processor"][WIDTH[done.cells["processor"]]] == bits


@pytest.mark.parametrize(
    ("board", "config", "segments"),
    [
        ("pynq_z2", CONFIG, ["HP0_DDR_LOWOCM"]),
        ("pynq_z2", FAR, ["HP0_DDR_LOWOCM"]),
        ("kv260", CONFIG, ["HP0_DDR_LOW"]),
        ("kv260", dataclasses.replace(CONFIG, address_bits=35), ["HP0_DDR_LOW"]),
        ("kv260", dataclasses.replace(CONFIG, address_bits=36), ["HP0_DDR_LOW", "HP0_DDR_HIGH"]),
        ("zcu102", FAR, ["HP0_DDR_LOW", "HP0_DDR_HIGH"]),
    ],
)
def test_all_memory_that_addresses_reach_is_assigned(
    board: str, config: AcceleratorConfig, segments: list[str], tmp_path: Path
) -> None:
    registers, *memory = vivado(script(boards()[board], config), tmp_path).assigned
    offset = {"pynq_z2": "0x40000000"}.get(board, "0xA0000000")
    assert registers[:4] == ("-offset", offset, "-range", "0x1000")
    assert registers[-2:] == ("processor/Data", "accelerator/S_AXI/registers")
    assert [assigned[1] for assigned in memory] == ["accelerator/M_AXI"] * len(segments)
    assert [assigned[2].split("/")[-1] for assigned in memory] == segments


def test_a_bitstream_is_made_when_asked_for(tmp_path: Path) -> None:
    tcl = script(boards()["zcu102"])
    steps = ["launch_runs", "wait_on_run", "write_hw_platform"]
    assert vivado(tcl, tmp_path, "bitstream").done[-3:] == steps
    assert not {*steps} & {*vivado(tcl, tmp_path).done}


BROKEN = {
    "connect_bd_net [get_bd_pins processor/FCLK_CLK0] [get_bd_pins accelerator/ACLK]": "accelerator/ACLK is not",
    "connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins accelerator/ARESETN]": "ARESETN is not",
    "connect_bd_net [get_bd_pins accelerator/INTERRUPT] [get_bd_pins processor/IRQ_F2P]": "IRQ_F2P is not connected",
    "connect_bd_intf_net [get_bd_intf_pins memory/M00_AXI] [get_bd_intf_pins processor/S_AXI_HP0]": "is not connected",
    "    CONFIG.PCW_USE_S_AXI_HP0 {1} \\": "an interface of the processor is switched off",
    "create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset:5.0 reset": "reset",
}


@pytest.mark.parametrize("line", BROKEN)
def test_a_design_that_lacks_a_line_is_refused(line: str, tmp_path: Path) -> None:
    tcl = script(boards()["pynq_z2"])
    assert f"{line}\n" in tcl
    with pytest.raises(AssertionError, match=BROKEN[line]):
        vivado(tcl.replace(f"{line}\n", ""), tmp_path)


MISTAKEN = {
    "accelerator/S_AXI]": ("accelerator/s_axil]", "accelerator/s_axil is no interface"),
    "accelerator/ARESETN]": ("accelerator/rst]", "accelerator/rst is no pin"),
    "reset/peripheral_aresetn]": ("accelerator/ACLK]", "accelerator/ACLK cannot drive accelerator/ARESETN"),
    ":wingrid_ip:": (":wingrid:", "wingrid:wingrid:wingrid:"),
    "accelerator/S_AXI/registers": ("accelerator/S_AXI/Reg", "accelerator/S_AXI/Reg"),
}


@pytest.mark.parametrize("name", MISTAKEN)
def test_a_name_that_is_not_there_is_refused(name: str, tmp_path: Path) -> None:
    tcl = script(boards()["kv260"])
    assert name in tcl
    wrong, told = MISTAKEN[name]
    with pytest.raises(AssertionError, match=told):
        vivado(tcl.replace(name, wrong), tmp_path)


def test_scripts_are_called_by_their_boards_and_say_that_they_were_not_run() -> None:
    for name, board in boards().items():
        assert package()[f"vivado_{name}.tcl"].decode() == script(board)
        assert "has NOT been run in Vivado" in script(board)
