"""Registers that multipliers and memories take: netlists that yosys does not make, and files that are none.

That what comes out does the same as what went in is judged by ``make cells``.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wingrid.host.silicon.block_registers import take_registers

CLOCK, OTHER_CLOCK, A, B, BEHIND_A, BEHIND_B, P, BEHIND_P = range(2, 10)


def register(data: int, behind: int, clock: int = CLOCK) -> dict[str, Any]:
    return {
        "type": "TRELLIS_FF",
        "parameters": {"CEMUX": "1 ", "CLKMUX": "CLK", "GSR": "DISABLED", "LSRMUX": "LSR", "REGSET": "RESET"},
        "port_directions": {"CLK": "input", "DI": "input", "LSR": "input", "Q": "output"},
        "connections": {"CLK": [clock], "DI": [data], "LSR": ["0"], "Q": [behind]},
    }


def enabled(flip_flop: dict[str, Any], enable: int) -> dict[str, Any]:
    flip_flop["parameters"]["CEMUX"] = "CE"
    flip_flop["port_directions"]["CE"] = "input"
    flip_flop["connections"]["CE"] = [enable]
    return flip_flop


def module() -> dict[str, Any]:
    """One bit times one bit, with registers of both and of the product."""
    pins: dict[str, list[int | str]] = {f"{side}{bit}": ["0"] for side in "AB" for bit in range(18)}
    pins |= {"A0": [BEHIND_A], "B0": [BEHIND_B], "SIGNEDA": ["0"], "SIGNEDB": ["0"], "P0": [P]}
    multiplier = {
        "type": "MULT18X18D",
        "parameters": {},
        "port_directions": {pin: "output" if pin == "P0" else "input" for pin in pins},
        "connections": pins,
    }
    cells = {
        "multiplier": multiplier,
        "a": register(A, BEHIND_A),
        "b": register(B, BEHIND_B),
        "p": register(P, BEHIND_P),
    }
    ports = {"clk": [CLOCK], "a": [A], "b": [B], "p": [BEHIND_P]}
    return {
        "cells": cells,
        "ports": {
            name: {"direction": "output" if name == "p" else "input", "bits": bits} for name, bits in ports.items()
        },
    }


def test_all_go_in() -> None:
    netlist = module()
    take_registers(netlist)
    (multiplier,) = netlist["cells"].values()
    pins = multiplier["connections"]
    assert (pins["A0"], pins["B0"], pins["P0"]) == ([A], [B], [BEHIND_P])
    assert (pins["CLK0"], pins["CE0"], pins["RST0"]) == ([CLOCK], ["1"], ["0"])
    assert {name: value for name, value in multiplier["parameters"].items() if name.endswith("_CLK")} == {
        "REG_INPUTA_CLK": "CLK0", "REG_INPUTB_CLK": "CLK0", "REG_OUTPUT_CLK": "CLK0",
    }  # fmt: skip
    assert set(multiplier["port_directions"]) == set(pins)


@pytest.mark.parametrize(
    ("change", "stay"),
    [
        ({"p": register(P, BEHIND_P, OTHER_CLOCK)}, {"p"}),
        ({"b": register(B, BEHIND_B, OTHER_CLOCK)}, {"a", "b"}),
        ({"a": register(P, BEHIND_A)}, {"p"}),
    ],
    ids=["product of another clock", "factors of two clocks", "product that is a factor"],
)
def test_what_stays(change: dict[str, Any], stay: set[str]) -> None:
    netlist = module()
    netlist["cells"] |= change
    take_registers(netlist)
    assert set(netlist["cells"]) == {"multiplier", *stay}


def remembering() -> dict[str, Any]:
    """A memory with one output on each port, and a register behind each."""
    pins: dict[str, list[int | str]] = {"DOA0": [A], "DOB0": [B], "CLKA": [CLOCK], "CLKB": [CLOCK]}
    pins |= {"RSTA": ["0"], "RSTB": ["0"], "OCEA": ["1"], "OCEB": ["1"]}
    memory = {
        "type": "DP16KD",
        "parameters": {"DATA_WIDTH_A": f"{9:032b}", "DATA_WIDTH_B": f"{9:032b}"},
        "port_directions": {pin: "output" if pin.startswith("DO") else "input" for pin in pins},
        "connections": pins,
    }
    cells = {"memory": memory, "a": register(A, BEHIND_A), "b": register(B, BEHIND_B)}
    ports = {"clk": [CLOCK], "a": [BEHIND_A], "b": [BEHIND_B]}
    return {
        "cells": cells,
        "ports": {
            name: {"direction": "input" if name == "clk" else "output", "bits": bits} for name, bits in ports.items()
        },
    }


def test_a_memory_takes_those_of_both_ports() -> None:
    netlist = remembering()
    take_registers(netlist)
    (memory,) = netlist["cells"].values()
    assert (memory["connections"]["DOA0"], memory["connections"]["DOB0"]) == ([BEHIND_A], [BEHIND_B])
    assert (memory["parameters"]["REGMODE_A"], memory["parameters"]["REGMODE_B"]) == ("OUTREG", "OUTREG")


def test_an_enabled_register_behind_a_memory_lends_it_the_enable() -> None:
    netlist = remembering()
    netlist["cells"]["b"] = enabled(register(B, BEHIND_B), BEHIND_A)
    take_registers(netlist)
    (memory,) = netlist["cells"].values()
    assert (memory["connections"]["OCEA"], memory["connections"]["OCEB"]) == (["1"], [BEHIND_A])


def test_what_a_memory_takes_as_an_enable_is_listened_to() -> None:
    """The first memory's output enables the registers behind the second, and has one behind itself."""
    netlist = remembering()
    second = copy.deepcopy(netlist["cells"]["memory"])
    second["connections"] |= {"DOA0": [P], "DOB0": ["x"]}
    netlist["cells"] = {"second": second, "p": enabled(register(P, BEHIND_P), A), **netlist["cells"]}
    netlist["ports"]["p"] = {"direction": "output", "bits": [BEHIND_P]}
    take_registers(netlist)
    assert set(netlist["cells"]) == {"second", "memory", "a"}
    assert second["connections"]["OCEA"] == [A]


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": {"REGMODE_A": "OUTREG"}},
        {"parameters": {"CLKAMUX": "INV"}},
        {"connections": {"RSTA": [P]}},
        {"connections": {"OCEA": [P]}},
        {"connections": {"CLKA": [OTHER_CLOCK]}},
    ],
    ids=["has one", "falling edge", "reset", "enabled", "of another clock"],
)
def test_what_stays_behind_a_memory(change: dict[str, dict[str, Any]]) -> None:
    netlist = remembering()
    for told, values in change.items():
        netlist["cells"]["memory"][told] |= values
    take_registers(netlist)
    assert set(netlist["cells"]) == {"memory", "a"}


@pytest.mark.parametrize("change", ["parameters", "connections"])
def test_a_multiplier_that_somebody_wrote_stays_as_it_is(change: str) -> None:
    netlist = module()
    netlist["cells"]["multiplier"][change] |= {
        "parameters": {"REG_PIPELINE_CLK": "CLK0"},
        "connections": {"SIGNEDA": [A]},
    }[change]
    before = copy.deepcopy(netlist)
    take_registers(netlist)
    assert netlist == before


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    name = "wingrid.host.silicon.block_registers"
    return subprocess.run([sys.executable, "-m", name, *arguments], capture_output=True, text=True)


def test_the_command_changes_the_file(tmp_path: Path) -> None:
    path, wanted = tmp_path / "netlist.json", module()
    path.write_text(json.dumps({"modules": {"top": wanted}}))
    assert command(str(path)).returncode == 0
    take_registers(wanted)
    assert json.loads(path.read_text()) == {"modules": {"top": wanted}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read {}: No such file or directory"),
        ("module top;", "{} is no netlist as yosys' write_json writes it"),
        ('{"modules": {"top": {"cells": {}}}}', "{} is no netlist as yosys' write_json writes it"),
    ],
)
def test_what_is_no_netlist_is_refused_in_a_sentence(content: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "netlist.json"
    if content is not None:
        path.write_text(content)
    told = command(str(path))
    assert (told.returncode, told.stderr) == (2, f"wingrid: {said.format(path)}\n")
    assert not path.exists() or path.read_text() == content
