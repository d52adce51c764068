"""What ports are told to be, in either case of AMBA's names."""

from __future__ import annotations

import pytest
from packaged import CONFIG, around, bare, manifest

from wingrid.host.package.edges import Edges
from wingrid.hw.bus.axi import read_channels, register_slave, write_channels


def test_names_of_the_accelerator() -> None:
    edges = bare()
    assert (edges.clock.name, edges.reset.name, edges.interrupt.name) == ("clk", "rst", "interrupt")
    assert not edges.reset_active_low
    assert [(bus.name, bus.protocol) for bus in edges.buses] == [("m_axi", "AXI4"), ("s_axil", "AXI4LITE")]
    assert (edges.memory.data_bits, edges.registers.data_bits) == (8 * CONFIG.bus_bytes, 32)


def test_names_of_a_module_around_it() -> None:
    edges = around(40)
    assert (edges.clock.name, edges.reset.name, edges.interrupt.name) == ("ACLK", "ARESETN", "INTERRUPT")
    assert edges.reset_active_low
    assert [bus.name for bus in edges.buses] == ["M_AXI", "S_AXI"]
    assert edges.memory.address_bits == 40


def test_buses_have_all_signals_that_the_hardware_gives_them() -> None:
    memory, registers = bare().buses
    master = {**read_channels(CONFIG).members, **write_channels(CONFIG).members}
    assert set(memory.signals) == {name.upper() for name in master}
    assert set(registers.signals) == {name.upper() for name in register_slave().members}


@pytest.mark.parametrize("missing", ["clk", "rst", "interrupt", "m_axi", "s_axil"])
def test_a_module_that_lacks_something_is_refused(missing: str) -> None:
    ports = [port for port in manifest()["ports"] if not port["name"].startswith(missing)]
    with pytest.raises(ValueError, match="module wingrid has 0 ports or buses that may be its"):
        Edges.of("wingrid", ports)
