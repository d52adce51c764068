"""Synthesis by a second way, where yosys ends without a word."""

import json
from pathlib import Path

import pytest

from wingrid.host.silicon import two_ways
from wingrid.host.silicon.family import ECP5_MAPPING
from wingrid.host.silicon.two_ways import synthesise, ways
from wingrid.sim.tools import BuildError, Tools

COUNTER = """
module top(input clk, input [7:0] step, output reg [7:0] count);
    always @(posedge clk) count <= count + (step ^ {count[0], count[7:1]});
endmodule
"""


def yosys_that_dies(said: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Yosys fails with these words at its first call; the scripts of all calls are in the list."""
    scripts: list[str] = []

    def run(program: str, arguments: list[str], what: str, *_: object) -> None:
        scripts.append(arguments[-1])
        if len(scripts) == 1:
            raise BuildError(f"{what} failed with exit status 1:\n{said}")

    monkeypatch.setattr(two_ways, "run", run)
    return scripts


def test_what_ends_without_a_word_is_done_the_other_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scripts = yosys_that_dies("3.46. Executing ABC9 pass.", monkeypatch)
    both = ways("read_verilog top.v", "synth_ecp5 -top top", "write_json netlist.json")
    told: list[str] = []
    synthesise(both, tmp_path, Tools(), told.append)
    assert tuple(scripts) == both
    assert len(told) == 1
    assert "without a word" in told[0]


def test_an_error_that_yosys_names_is_final(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scripts = yosys_that_dies("ERROR: Module `\\top' not found!", monkeypatch)
    with pytest.raises(BuildError, match="not found"):
        synthesise(("first", "second"), tmp_path, Tools(), lambda _: None)
    assert scripts == ["first"]


@pytest.mark.parametrize("mapping", ["", ECP5_MAPPING])
def test_both_ways_end_in_the_same_cells(mapping: str, tmp_path: Path) -> None:
    both = ways("read_verilog top.v", "synth_ecp5 -top top", "write_json netlist.json", mapping)
    assert all(mapping in script for script in both)
    found = []
    for number, script in enumerate(both):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "top.v").write_text(COUNTER)
        synthesise((script, "not called"), folder, Tools(), lambda _: None)
        cells = json.loads((folder / "netlist.json").read_text())["modules"]["top"]["cells"].values()
        found.append(sorted(cell["type"] for cell in cells))
    assert found[0].count("TRELLIS_FF") == 8
    assert found[0] == found[1]
