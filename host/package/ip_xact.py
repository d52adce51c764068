"""The module as an IP-XACT component (IEEE 1685-2009, the edition that Vivado reads), with its registers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from wingrid.host.package.edges import Bus, Edges, Port
from wingrid.hw.config import INSTRUCTION_BYTES, AcceleratorConfig
from wingrid.hw.registers import Access, readings, register_map

NAMESPACE = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
VENDOR = "wingrid"
LIBRARY = "wingrid"
ADDRESS_BLOCK = "registers"
"""Name of the address block behind the AXI4-Lite slave."""
DECODED_BYTES = 0x1000
"""Least range that interconnects decode for a slave."""

_FILES = "rtl"
_WORD_BITS = 32
_RESOURCES = {"clock": ("CLK", "input"), "reset": ("RST", "input"), "interrupt": ("INTERRUPT", "output")}
"""Signals that Xilinx' definitions of single-wire interfaces have."""

_ACCESS = {
    Access.READ.value: ("read-only", None),
    Access.WRITE.value: ("write-only", None),
    Access.BOTH.value: ("read-write", None),
    Access.CLEAR.value: ("read-write", "oneToClear"),
}
"""Access and modified write value of a field."""


def component_xml(edges: Edges, config: AcceleratorConfig, sources: Iterable[str], version: str) -> str:
    """``component.xml`` of a module with ``edges`` whose Verilog is in the files ``sources``."""
    root = Element(
        "spirit:component",
        {"xmlns:spirit": NAMESPACE, "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance"},
    )
    for name, value in (("vendor", VENDOR), ("library", LIBRARY), ("name", edges.module), ("version", version)):
        _add(root, name, value)
    interfaces = _add(root, "busInterfaces")
    for bus in edges.buses:
        _axi(interfaces, bus, _axi_parameters(bus, config))
    buses = ":".join(bus.name for bus in edges.buses)
    _wire(interfaces, "clock", edges.clock, {"ASSOCIATED_BUSIF": buses, "ASSOCIATED_RESET": edges.reset.name})
    _wire(interfaces, "reset", edges.reset, {"POLARITY": "ACTIVE_LOW" if edges.reset_active_low else "ACTIVE_HIGH"})
    _wire(interfaces, "interrupt", edges.interrupt, {"SENSITIVITY": "LEVEL_HIGH"})
    space = _add(_add(root, "addressSpaces"), "addressSpace")
    _add(space, "name", edges.memory.name)
    _add(space, "range", str(1 << edges.memory.address_bits))
    _add(space, "width", str(edges.memory.data_bits))
    _memory_map(root, edges.registers, config)
    model = _add(root, "model")
    _views(model, edges)
    ports = _add(model, "ports")
    for port in edges.ports:
        _port(ports, port)
    files = _add(_add(root, "fileSets"), "fileSet")
    _add(files, "name", _FILES)
    for source in sources:
        file = _add(files, "file")
        _add(file, "name", source)
        _add(file, "fileType", "verilogSource")
    _add(root, "description", "A CNN accelerator: AXI4 master, AXI4-Lite slave, level interrupt.")
    _parameters(root, {"Component_Name": edges.module})
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _axi(interfaces: Element, bus: Bus, parameters: Mapping[str, object]) -> None:
    interface = _interface(interfaces, bus.name, "interface", "aximm")
    if bus.master:
        _add(_add(interface, "master"), "addressSpaceRef").set("spirit:addressSpaceRef", bus.name)
    else:
        _add(_add(interface, "slave"), "memoryMapRef").set("spirit:memoryMapRef", bus.name)
    _port_maps(interface, bus.signals)
    _parameters(interface, parameters)


def _axi_parameters(bus: Bus, config: AcceleratorConfig) -> dict[str, object]:
    """What signals alone do not say about a bus."""
    common: dict[str, object] = {
        "PROTOCOL": bus.protocol,
        "DATA_WIDTH": bus.data_bits,
        "ADDR_WIDTH": bus.address_bits,
        "READ_WRITE_MODE": "READ_WRITE",
    }
    if not bus.master:
        return common
    return {
        **common,
        "ID_WIDTH": bus.signals["AWID"].width,
        "SUPPORTS_NARROW_BURST": 0,
        # An instruction is fetched in one burst.
        "MAX_BURST_LENGTH": max(config.burst_beats, INSTRUCTION_BYTES // config.bus_bytes),
        "NUM_READ_OUTSTANDING": config.reads_in_flight,
        "NUM_WRITE_OUTSTANDING": config.writes_in_flight,
    }


def _wire(interfaces: Element, kind: str, port: Port, parameters: Mapping[str, object]) -> None:
    """A clock, reset or interrupt as an interface of one wire; who drives it is its master."""
    signal, into = _RESOURCES[kind]
    interface = _interface(interfaces, port.name, "signal", kind)
    _add(interface, "slave" if into == "input" else "master")
    _port_maps(interface, {signal: port})
    _parameters(interface, parameters)


def _interface(interfaces: Element, name: str, library: str, kind: str) -> Element:
    interface = _add(interfaces, "busInterface")
    _add(interface, "name", name)
    for element, named in (("busType", kind), ("abstractionType", f"{kind}_rtl")):
        reference = {"vendor": "xilinx.com", "library": library, "name": named, "version": "1.0"}
        _add(interface, element).attrib.update({f"spirit:{key}": value for key, value in reference.items()})
    return interface


def _port_maps(interface: Element, signals: Mapping[str, Port]) -> None:
    maps = _add(interface, "portMaps")
    for signal, port in signals.items():
        both = _add(maps, "portMap")
        _add(_add(both, "logicalPort"), "name", signal)
        _add(_add(both, "physicalPort"), "name", port.name)


def _memory_map(root: Element, bus: Bus, config: AcceleratorConfig) -> None:
    memory_map = _add(_add(root, "memoryMaps"), "memoryMap")
    _add(memory_map, "name", bus.name)
    block = _add(memory_map, "addressBlock")
    for name, value in (
        ("name", ADDRESS_BLOCK),
        ("baseAddress", "0x0"),
        ("range", f"0x{max(1 << bus.address_bits, DECODED_BYTES):X}"),
        ("width", str(bus.data_bits)),
        ("usage", "register"),
    ):
        _add(block, name, value)
    constants = {register.name: value for register, value in readings(config).items()}
    for register in register_map():
        for word in _words(register):
            _register(block, word, constants.get(word["name"]))
    _add(memory_map, "addressUnitBits", "8")


def _words(register: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The registers that the bus sees: of one of 64 bits, two of 32, low word first."""
    if register["bits"] == _WORD_BITS:
        return [register]
    (field,) = register["fields"]
    return [
        {
            "name": f"{register['name']}_{half.upper()}",
            "address": register["address"] + index * _WORD_BITS // 8,
            "fields": [{**field, "low": 0, "width": _WORD_BITS, "meaning": f"{half} word"}],
        }
        for index, half in enumerate(("low", "high"))
    ]


def _register(block: Element, register: Mapping[str, Any], value: int | None) -> None:
    element = _add(block, "register")
    _add(element, "name", register["name"])
    _add(element, "addressOffset", f"0x{register['address']:X}")
    _add(element, "size", str(_WORD_BITS))
    _add(_add(element, "reset"), "value", f"0x{value or 0:X}")
    for field in register["fields"]:
        access, on_write = _ACCESS[field["access"]]
        described = _add(element, "field")
        _add(described, "name", field["name"])
        _add(described, "description", field["meaning"])
        _add(described, "bitOffset", str(field["low"]))
        _add(described, "bitWidth", str(field["width"]))
        _add(described, "access", access)
        if on_write:
            _add(described, "modifiedWriteValue", on_write)


def _views(model: Element, edges: Edges) -> None:
    views = _add(model, "views")
    for name, purpose in (
        ("xilinx_anylanguagesynthesis", "synthesis"),
        ("xilinx_anylanguagebehavioralsimulation", "simulation"),
    ):
        view = _add(views, "view")
        _add(view, "name", name)
        _add(view, "envIdentifier", f":vivado.xilinx.com:{purpose}")
        _add(view, "language", "Verilog")
        _add(view, "modelName", edges.module)
        _add(_add(view, "fileSetRef"), "localName", _FILES)


def _port(ports: Element, port: Port) -> None:
    element = _add(ports, "port")
    _add(element, "name", port.name)
    wire = _add(element, "wire")
    _add(wire, "direction", "in" if port.direction == "input" else "out")
    if port.width > 1:
        vector = _add(wire, "vector")
        _add(vector, "left", str(port.width - 1))
        _add(vector, "right", "0")
    types: Sequence[str] = ("xilinx_anylanguagesynthesis", "xilinx_anylanguagebehavioralsimulation")
    definition = _add(_add(wire, "wireTypeDefs"), "wireTypeDef")
    _add(definition, "typeName", "wire")
    for view in types:
        _add(definition, "viewNameRef", view)


def _parameters(parent: Element, values: Mapping[str, object]) -> None:
    parameters = _add(parent, "parameters")
    for name, value in values.items():
        parameter = _add(parameters, "parameter")
        _add(parameter, "name", name)
        _add(parameter, "value", str(value))


def _add(parent: Element, name: str, text: str | None = None) -> Element:
    element = ElementTree.SubElement(parent, f"spirit:{name}")
    element.text = text
    return element
