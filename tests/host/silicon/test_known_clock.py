"""Clocks of targets: told where just this was routed, and otherwise what is missing."""

import dataclasses
import json
from pathlib import Path

import pytest
from command_calls import call

from wingrid import estimate, sweep
from wingrid.host.errors import UserError
from wingrid.host.execution.clock import Clock
from wingrid.host.silicon import routed_clocks, synth
from wingrid.host.silicon.known_clock import clock_on
from wingrid.host.silicon.routed_clocks import RoutedClock, as_text, changes, found_for, keep, read
from wingrid.host.silicon.synth import fingerprint
from wingrid.host.silicon.target import find_target
from wingrid.hw.config import AcceleratorConfig

CONFIG = AcceleratorConfig(rows=2, cols=3, winograd=0)
TARGET = "ecp5-25k-6"
SETTINGS = "--set rows=2 --set cols=3 --set winograd=0"


def row(**differences: object) -> RoutedClock:
    today = fingerprint(CONFIG, find_target(TARGET))
    found = RoutedClock(CONFIG, TARGET, (1, 2, 3), (104.5, 99.25, 101.0), today, "a router")
    return dataclasses.replace(found, **differences)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of shipped clocks, without any; and nothing that this user found."""
    monkeypatch.setattr(routed_clocks, "cache_directory", lambda: tmp_path / "cache")
    monkeypatch.setattr(routed_clocks, "SHIPPED", tmp_path / "clocks.toml")
    return tmp_path / "clocks.toml"


def test_a_shipped_clock_is_told_with_its_target(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped.write_text(as_text([row(target="ecp5-85k-6", clocks=(1.0, 2.0, 3.0)), row()]))
    assert clock_on(CONFIG, TARGET) == Clock(101.0, "routed on ecp5-25k-6")
    # The slowest speed grade is meant where there is none.
    assert clock_on(CONFIG, "ecp5-25k") == Clock(101.0, "routed on ecp5-25k-6")
    assert call("estimate", "digits", *SETTINGS.split(), "--target", TARGET, "--batch", "2", "--json", "-") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["clock_mhz"], found["clock_origin"]) == (101.0, "routed on ecp5-25k-6")
    assert found["total"]["images_per_second"] == round(2 * 101e6 / found["total"]["cycles"], 3)
    assert call("estimate", "digits", *SETTINGS.split(), "--target", TARGET) == 0
    assert " images per second at 101 MHz, routed on ecp5-25k-6; " in capsys.readouterr().out
    here = estimate("digits", config=CONFIG, target=TARGET, batch=2).as_dict()
    assert here["total"]["images_per_second"] == found["total"]["images_per_second"]


@pytest.mark.parametrize(
    "difference",
    ["another Verilog", "another harness", "another goal of the router", "another chip of that name"],
)
def test_a_clock_of_something_else_is_never_told(
    difference: str, shipped: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped.write_text(as_text([row()]))
    assert clock_on(CONFIG, TARGET).mhz == 101.0
    if difference == "another Verilog":
        monkeypatch.setattr(synth, "source", lambda config: "another " + synthesis_source(config))
    elif difference == "another harness":
        monkeypatch.setattr(synth, "harness", lambda text: "another")
    elif difference == "another goal of the router":
        monkeypatch.setattr("wingrid.host.silicon.place_and_route.GOAL_MHZ", 151)
    else:
        chip = dataclasses.replace(find_target(TARGET), route=("--45k",))
        monkeypatch.setattr("wingrid.host.silicon.target.find_target", lambda name: chip)
    assert clock_on(CONFIG, TARGET) == Clock(
        missing="The clock of this configuration on ecp5-25k-6 is not known: what was routed is not what is generated "
        f"today. To find it: wingrid synth --target {TARGET} {SETTINGS}"
    )
    assert call("estimate", "digits", *SETTINGS.split(), "--target", TARGET) == 0
    shown = capsys.readouterr().out
    assert "per second" not in shown
    assert " cycles per image at " in shown
    assert "what was routed is not what is generated today" in " ".join(shown.split())


synthesis_source = synth.source


def test_where_nothing_was_routed_the_command_that_does_is_named(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a row, nothing has to be generated.
    monkeypatch.setattr(synth, "source", lambda config: pytest.fail("generated"))
    assert clock_on(CONFIG, TARGET).missing == (
        f"The clock of this configuration on ecp5-25k-6 is not known: it was not routed yet. "
        f"To find it: wingrid synth --target {TARGET} {SETTINGS}"
    )
    assert (clock_on(AcceleratorConfig(), TARGET).missing or "").endswith(f"wingrid synth --target {TARGET}")


def test_a_target_that_nothing_routes_says_so(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "Wingrid has no tool that places and routes AMD Artix-7 35T, so its clock is not known. With --clock"
    assert (clock_on(CONFIG, "xc7a35t-1").missing or "").startswith(sentence)
    assert call("estimate", "digits", "--target", "xc7a35t-1") == 0
    assert sentence in " ".join(capsys.readouterr().out.split())


def test_what_this_user_found_comes_before_what_is_shipped(shipped: Path) -> None:
    shipped.write_text(as_text([row()]))
    keep(row(seeds=(1,), clocks=(88.5,)))
    assert [found.mhz for found in found_for(CONFIG, TARGET)] == [88.5, 101.0]
    assert clock_on(CONFIG, TARGET).mhz == 88.5
    # One seed does not take the place of three; other Verilog does.
    keep(row(clocks=(90.0, 91.0, 92.0)))
    keep(row(seeds=(1,), clocks=(90.0,)))
    assert clock_on(CONFIG, TARGET).mhz == 91.0
    keep(row(seeds=(1,), clocks=(95.0,), fingerprint="another"))
    assert clock_on(CONFIG, TARGET).mhz == 101.0


def test_configurations_of_a_sweep_have_clocks_of_their_own(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped.write_text(as_text([row()]))
    found = sweep("digits", config=CONFIG, target=TARGET, rows=[2, 4], cols=[3, 4])
    per_second = [entry.as_dict()["total"]["images_per_second"] for entry in found.estimates()]
    assert per_second[0] is not None
    assert per_second[1:] == [None, None, None]
    options = ["--set", "rows=2,4", "--set", "cols=3,4", "--set", "winograd=0"]
    assert call("estimate", "digits", *options, "--target", TARGET) == 0
    shown = capsys.readouterr().out
    assert "images/s" in shown
    assert "Images per second at 101 MHz, routed on ecp5-25k-6." in shown
    assert "So it is for 2 more of these configurations." in shown
    assert call("estimate", "digits", *options) == 0
    assert "images/s" not in capsys.readouterr().out


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "clocks.toml"
    rows = [row(), row(config=AcceleratorConfig(), target='a "strange" one', seeds=(7,), clocks=(1.5,))]
    file.write_text(as_text(rows))
    assert read(file) == rows
    assert changes(AcceleratorConfig()) == {}
    for text in ("", "routed = 1", "[[routed]]\ntarget = 1", "[[routed"):
        file.write_text(text)
        assert read(file) == []
    assert read(tmp_path / "none") == []


def test_all_rows_that_are_shipped_can_be_read() -> None:
    text = routed_clocks.SHIPPED.read_text()
    assert text.startswith(routed_clocks.HEADER)
    rows = read(routed_clocks.SHIPPED)
    assert text == as_text(rows)
    assert len({(found.config, found.target) for found in rows}) == len(rows)
    for found in rows:
        assert find_target(found.target).routes
        assert len(found.seeds) == len(found.clocks) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--clock 100 --target ecp5-85k-6", "clock 100 and target ecp5-85k-6 both name a clock: leave one of them out"),
        ("--target spartan", "unknown target 'spartan'; there are ecp5-25k-6/7/8, "),
        ("--clock -1", "clock -1 must be a number of MHz above 0"),
    ],
)
@pytest.mark.parametrize(
    "command", ["estimate digits", "run digits", "matmul 2 3 4", "filter sample:flower -k box -o o.png"]
)
def test_bad_clocks_are_refused(
    command: str, options: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert call(*command.split(), *options.split()) == 2
    assert capsys.readouterr().err.startswith(f"wingrid: {message}")
    assert list(tmp_path.iterdir()) == []


def test_python_refuses_two_clocks_as_well() -> None:
    with pytest.raises(UserError, match="both name a clock"):
        estimate("digits", clock=100, target=TARGET)
