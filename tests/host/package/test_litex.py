"""LiteX builds Verilog around the module, with every port connected to a signal as wide as it is."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from litex.build.generic_platform import Pins
from litex.build.sim.platform import SimPlatform
from litex.soc.integration.soc import SoCRegion
from litex.soc.integration.soc_core import SoCCore
from migen import ClockDomain, Module
from migen.fhdl.specials import Instance
from packaged import CONFIG, FAR, manifest, package

from wingrid.host.files import write_folder
from wingrid.hw.config import AcceleratorConfig

pytestmark = pytest.mark.slow


def shipped(folder: Path, config: AcceleratorConfig = CONFIG) -> ModuleType:
    """The module from a folder with the whole package in it."""
    write_folder(folder, package(config))
    spec = importlib.util.spec_from_file_location("wingrid_litex", folder / "wingrid_litex.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def platform() -> SimPlatform:
    return SimPlatform("SIM", [("sys_clk", 0, Pins(1)), ("sys_rst", 0, Pins(1))])


class Soc(SoCCore):
    """A bus, the accelerator on it as master and slave, and nothing that runs."""

    def __init__(self, shipped: ModuleType, standard: str, address_bits: int) -> None:
        board = platform()
        super().__init__(
            board, clk_freq=100_000_000, cpu_type=None, bus_standard=standard, bus_address_width=address_bits,
            integrated_sram_size=0x1000, with_uart=False, with_timer=False, ident="",
        )  # fmt: skip
        self.clock_domains.cd_sys = ClockDomain()
        self.comb += [
            self.cd_sys.clk.eq(board.request("sys_clk")),
            self.cd_sys.rst.eq(board.request("sys_rst")),
        ]
        self.wingrid = shipped.Wingrid(board, self.bus.address_width)
        self.bus.add_master("wingrid", master=self.wingrid.memory)
        region = SoCRegion(origin=0x9000_0000, size=0x1000, cached=False)
        self.bus.add_slave("wingrid", self.wingrid.registers, region)


def instance(module: Module) -> dict[str, tuple[str, int]]:
    """Direction and width of what is connected to each port of the accelerator."""
    (found,) = [special for special in module.get_fragment().specials if isinstance(special, Instance)]
    assert found.of == "wingrid"
    directions = {Instance.Input: "input", Instance.Output: "output"}
    return {item.name: (directions[type(item)], len(item.expr)) for item in found.items}


@pytest.mark.parametrize("config", [CONFIG, FAR])
def test_every_port_is_connected_at_its_width(config: AcceleratorConfig, tmp_path: Path) -> None:
    ports = {port["name"]: (port["direction"], port["width"]) for port in manifest(config)["ports"]}
    assert ports.pop("events")[0] == "output"
    module = shipped(tmp_path, config).Wingrid(platform(), 64)
    assert instance(module) == ports
    # Of what is no address, the bus has exactly the bits of the ports.
    for prefix, bus in (("m_axi", module.memory), ("s_axil", module.registers)):
        for name, (_, width) in ports.items():
            if found := re.fullmatch(rf"{prefix}_(aw|ar|w|r|b)(\w+)", name):
                signal = getattr(getattr(bus, found[1]), found[2])
                assert len(signal) == (64 if found[2] == "addr" else width), name


def test_a_bus_with_fewer_address_bits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^the accelerator has 40 address bits, and the bus only 32$"):
        shipped(tmp_path, FAR).Wingrid(platform(), 32)


@pytest.mark.parametrize(("config", "address_bits"), [(CONFIG, 32), (CONFIG, 64), (FAR, 64)])
@pytest.mark.parametrize("standard", ["axi", "axi-lite", "wishbone"])
def test_a_whole_soc_is_elaborated(standard: str, config: AcceleratorConfig, address_bits: int, tmp_path: Path) -> None:
    soc = Soc(shipped(tmp_path, config), standard, address_bits)
    soc.finalize()
    text = str(soc.platform.get_verilog(soc))
    found = re.search(r"^wingrid wingrid\(\n(.*?)^\);$", text, flags=re.M | re.S)
    assert found is not None
    bound = set(re.findall(r"\.(\w+) *\(\w", found[1]))
    assert bound == {port["name"] for port in manifest(config)["ports"]} - {"events"}
    assert [Path(source[0]) for source in soc.platform.sources] == [tmp_path / "wingrid.v"]
