"""Watts at a rate: the cited example, sums of parts, the clock that is needed, and the table in the documents."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_calls import call
from small_networks import SMALL_ALEXNET

from wingrid import estimate
from wingrid.host.errors import UserError
from wingrid.host.networks.built_in import BUILT_IN

DOCUMENT = Path(__file__).parents[3] / "docs" / "estimates.md"


@pytest.fixture(autouse=True)
def small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILT_IN, SMALL_ALEXNET.name, SMALL_ALEXNET)


def test_the_example_of_a_billion_weights_takes_what_was_published() -> None:
    """1 G accesses x 20 Hz x 640 pJ = 12.8 W."""
    found = estimate("small-alexnet").power(20)
    assert found is not None
    assert found["weights"][0]["watts"] == 12.8


def test_watts_are_energy_times_rate(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("estimate", "small-alexnet", "--batch", "2", "--rate", "50", "--json", "-") == 0
    found = json.loads(capsys.readouterr().out)
    energy, power = found["total"]["energy_per_image_uj"], found["power"]
    for part, watts in power["watts"].items():
        assert watts == pytest.approx(energy[part] * 50e-6, abs=1e-6)
    assert sum(list(power["watts"].values())[:-1]) == pytest.approx(power["watts"]["total"], abs=3e-6)
    assert power["least_clock_mhz"] == round(found["total"]["cycles"] / 2 * 50 / 1e6, 3)
    floats, whole, moved, on_chip = power["weights"][1:]
    weights = sum(layer.shape.weight_bytes for layer in SMALL_ALEXNET.layers())
    assert floats["accesses_per_image"] == weights == 4 * whole["accesses_per_image"]
    assert moved["accesses_per_image"] == found["total"]["bytes"]["weights"] / 2 / 4
    # 20 pJ for 64 bits of 32 KiB are cited.
    assert on_chip["pj_per_access"] == 10


@pytest.mark.parametrize(("clock", "verdict"), [(0.001, "is too slow for it."), (100000, "MHz at least.")])
def test_a_clock_that_is_too_slow_is_named(clock: float, verdict: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("estimate", "small-alexnet", "--rate", "50", "--clock", clock) == 0
    assert verdict in capsys.readouterr().out


def test_several_configurations_have_a_column_of_watts(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("estimate", "small-alexnet", "--set", "rows=8,16", "--rate", "7", "--csv", "/dev/null") == 0
    output = capsys.readouterr().out
    watts = [line.split()[-1] for line in output.splitlines() if line.split()[:1] in (["8"], ["16"])]
    expected = [estimate("small-alexnet", rows=rows).power(7) for rows in (8, 16)]
    assert watts == [f"{found['watts']['total']:.3g}" for found in expected if found]
    assert "7/s" in output


def test_of_some_layers_nothing_is_known_of_an_image() -> None:
    assert estimate("small-alexnet", layers=["fc7"]).power(20) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--rate 0", "a rate of 0 images per second must be a number above 0"),
        ("--rate nan", "a rate of nan images per second must be a number above 0"),
        ("--rate 5 --layers fc7", "--rate is of whole images, and --layers leaves some of a network out"),
    ],
)  # fmt: skip
def test_rates_that_cannot_be_are_refused(options: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("estimate", "small-alexnet", *options.split()) == 2
    assert capsys.readouterr().err == f"wingrid: {message}\n"
    with pytest.raises(UserError, match="must be a number above 0"):
        estimate("small-alexnet").power(-1)


@pytest.mark.slow
def test_the_table_in_the_documents_is_what_the_commands_print(capsys: pytest.CaptureFixture[str]) -> None:
    text = DOCUMENT.read_text()
    section = text[text.index("## Watts at a rate") :]
    commands = re.findall(r"^    wingrid (estimate \S+ .*--rate .*)$", section, re.M)
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][2:8]
    sums = re.search(
        r"takes (\S+) W at 20 images per second .*, (\S+) W of them DRAM; compressed (\S+) W, (\S+) W of them DRAM",
        " ".join(section.split()),
    ).groups()
    printed = []
    for command, (whole, dram) in zip(commands, (sums[:2], sums[2:]), strict=True):
        assert call(*command.split()) == 0
        printed.append(" ".join(capsys.readouterr().out.split()))
        assert f"At 20 images per second {whole} W: " in printed[-1]
        assert f"{dram} DRAM (45 nm" in printed[-1]
    assert [row[0].startswith("vgg16-compressed") for row in rows] == [False, False, False, False, True, False]
    for row in rows:
        assert " ".join(row) in printed[row[0].startswith("vgg16-compressed")]
