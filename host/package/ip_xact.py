"""The module for IP packagers as an IP-XACT component (IEEE 1685-2009, the edition of Vivado), with its registers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.ip_wrapper import MEMORY, NAME, REGISTERS, Interface, Port
from wingrid.hw.registers import REGISTER_ADDRESS_BITS, Access, readings, register_map

NAMESPACE = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
VENDOR = "wingrid"
LIBRARY = "wingrid"
ADDRESS_BLOCK = "registers"
"""Name of the address block behind the AXI4-Lite slave."""
DECODED_BYTES = 0x1000
"""Least range that interconnects decode for a slave."""

_FILES = "rtl"
_WORD_BITS = 32
_VIEWS = {"xilinx_anylanguagesynthesis": "synthesis", "xilinx_anylanguagebehavioralsimulation": "simulation"}
"""Names of the views that Vivado looks for, and what each is for."""
_REFERENCES = {MEMORY: "addressSpaceRef", REGISTERS: "memoryMapRef"}
"""How an AXI interface names what lies behind it, which is called like the interface."""

_ACCESS = {
    Access.READ.value: ("read-only", None),
    Access.WRITE.value: ("write-only", None),
    Access.BOTH.value: ("read-write", None),
    Access.CLEAR.value: ("read-write", "oneToClear"),
}
"""Access and modified write value of a field."""


def component_xml(config: AcceleratorConfig, ports: Sequence[Port], sources: Iterable[str], version: str) -> str:
    """``component.xml`` of module ``wingrid_ip`` with ``ports``, whose Verilog is in the files ``sources``."""
    root = Element(
        "spirit:component",
        {"xmlns:spirit": NAMESPACE, "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance"},
    )
    for name, value in (("vendor", VENDOR), ("library", LIBRARY), ("name", NAME), ("version", version)):
        _add(root, name, value)
    interfaces = _add(root, "busInterfaces")
    for interface in {port.interface.name: port.interface for port in ports if port.interface}.values():
        _interface(interfaces, interface, [port for port in ports if port.interface is interface])
    space = _add(_add(root, "addressSpaces"), "addressSpace")
    _add(space, "name", MEMORY)
    _add(space, "range", str(1 << config.address_bits))
    _add(space, "width", str(8 * config.bus_bytes))
    _memory_map(root, config)
    model = _add(root, "model")
    _views(model)
    described = _add(model, "ports")
    for port in ports:
        _port(described, port)
    files = _add(_add(root, "fileSets"), "fileSet")
    _add(files, "name", _FILES)
    for source in sources:
        file = _add(files, "file")
        _add(file, "name", source)
        _add(file, "fileType", "verilogSource")
    _add(root, "description", "A CNN accelerator: AXI4 master, AXI4-Lite slave, level interrupt.")
    _parameters(root, {"Component_Name": NAME})
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _interface(interfaces: Element, interface: Interface, ports: Sequence[Port]) -> None:
    described = _add(interfaces, "busInterface")
    _add(described, "name", interface.name)
    vendor, library, kind, version = interface.definition.split(":")
    for element, named in (("busType", kind), ("abstractionType", f"{kind}_rtl")):
        reference = {"vendor": vendor, "library": library, "name": named, "version": version}
        _add(described, element).attrib.update({f"spirit:{key}": value for key, value in reference.items()})
    side = _add(described, "master" if interface.drives else "slave")
    if behind := _REFERENCES.get(interface.name):
        _add(side, behind).set(f"spirit:{behind}", interface.name)
    maps = _add(described, "portMaps")
    for port in ports:
        both = _add(maps, "portMap")
        _add(_add(both, "logicalPort"), "name", port.signal)
        _add(_add(both, "physicalPort"), "name", port.name)
    _parameters(described, interface.parameters)


def _memory_map(root: Element, config: AcceleratorConfig) -> None:
    memory_map = _add(_add(root, "memoryMaps"), "memoryMap")
    _add(memory_map, "name", REGISTERS)
    block = _add(memory_map, "addressBlock")
    for name, value in (
        ("name", ADDRESS_BLOCK),
        ("baseAddress", "0x0"),
        ("range", f"0x{max(1 << REGISTER_ADDRESS_BITS, DECODED_BYTES):X}"),
        ("width", str(_WORD_BITS)),
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


def _views(model: Element) -> None:
    views = _add(model, "views")
    for name, purpose in _VIEWS.items():
        view = _add(views, "view")
        _add(view, "name", name)
        _add(view, "envIdentifier", f":vivado.xilinx.com:{purpose}")
        _add(view, "language", "Verilog")
        _add(view, "modelName", NAME)
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
    definition = _add(_add(wire, "wireTypeDefs"), "wireTypeDef")
    _add(definition, "typeName", "wire")
    for view in _VIEWS:
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
