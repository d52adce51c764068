"""``make silicon``: what it prints beside its aims, and the file of shipped clocks that it fills."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.bench import silicon
from wingrid.host.execution.clock import Clock
from wingrid.host.silicon import routed_clocks
from wingrid.host.silicon.area import Area
from wingrid.host.silicon.known_clock import clock_on
from wingrid.host.silicon.place_and_route import Routed
from wingrid.host.silicon.routed_clocks import read
from wingrid.host.silicon.synth_result import SynthResult
from wingrid.host.silicon.target import Target
from wingrid.hw.config import AcceleratorConfig

SMALL = AcceleratorConfig(rows=2, cols=3, winograd=0)
LARGE = AcceleratorConfig(rows=3, cols=3, winograd=0)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of shipped clocks; and a bench of two arrays, of which nothing is synthesised."""

    def found(config: AcceleratorConfig, target: Target, *, seeds: Sequence[int] = (), **_: object) -> SynthResult:
        area = Area()
        area.counts |= {"logic": 17_000, "carry": 9_000}
        routes = [Routed(seed, 100.0 * config.rows / 2 - seed, [], [], {}) for seed in seeds]
        return SynthResult(config, target, {"core": area}, {}, {}, routes, 0.0)

    monkeypatch.setattr(silicon, "synthesised", found)
    monkeypatch.setattr(silicon, "CLOCKS", ((SMALL, "ecp5-25k-6", 98.5), (LARGE, "ecp5-85k-8", 140)))
    monkeypatch.setattr(routed_clocks, "SHIPPED", tmp_path / "clocks.toml")
    monkeypatch.setattr(routed_clocks, "cache_directory", lambda: tmp_path / "cache")
    return tmp_path / "clocks.toml"


def test_figures_stand_beside_their_aims(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert silicon.main(["--seeds", "3"]) == 0
    shown, error = capsys.readouterr()
    assert error == ""
    lines = shown.splitlines()
    assert lines[0] == "| What | Unit | Found | Aim | Met |"
    assert lines[5:12] == [
        "| 8x8 F(4x4) on ECP5 | LUT4 | 17,000 | at most 18,000 | yes |",
        "| 8x8 F(4x4) on ECP5-85F | % of its logic | 41.846 | at most 42 | yes |",
        "| 16x16 F(4x4) on 7-series | LUT | 17,000 | at most 34,000 | yes |",
        "| 2x3 direct on ecp5-25k-6, seed 1 | MHz | 99 | at least 98.5 | yes |",
        "| 2x3 direct on ecp5-25k-6, median of 3 seeds | MHz | 98 | at least 98.5 | NO |",
        "| 3x3 direct on ecp5-85k-8, seed 1 | MHz | 149 | at least 140 | yes |",
        "| 3x3 direct on ecp5-85k-8, median of 3 seeds | MHz | 148 | at least 140 | yes |",
    ]
    met = sum(line.endswith("| yes |") for line in lines)
    assert lines[-1] == f"{met} of 10 are met."


def test_clocks_that_were_found_are_shipped(shipped: Path) -> None:
    assert clock_on(SMALL, "ecp5-25k-6").mhz is None
    silicon.main(["--seeds", "1"])
    assert [(found.target, found.clocks) for found in read(shipped)] == [
        ("ecp5-25k-6", (99.0,)),
        ("ecp5-85k-8", (149.0,)),
    ]
    assert clock_on(SMALL, "ecp5-25k-6") == Clock(99.0, "routed on ecp5-25k-6")
    # What is found again takes the place of what was there.
    silicon.main(["--seeds", "3"])
    assert [(found.target, found.mhz) for found in read(shipped)] == [("ecp5-25k-6", 98.0), ("ecp5-85k-8", 148.0)]


def test_without_routes_no_clock_is_shipped(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert silicon.main(["--no-route"]) == 0
    assert "MHz" not in capsys.readouterr().out
    assert not shipped.exists()
    with pytest.raises(SystemExit, match="2"):
        silicon.main(["--seeds", "0"])
