"""The clock that is planned comes from the shipped row that is most alike, of a grade that is no faster."""

from pathlib import Path

import pytest

from wingrid.host.fitting.planned_clock import MARGIN, planned_mhz
from wingrid.host.silicon import routed_clocks
from wingrid.host.silicon.routed_clocks import RoutedClock
from wingrid.host.silicon.target import find_target
from wingrid.hw.config import AcceleratorConfig


def row(size: int, winograd: int, target: str, mhz: float) -> RoutedClock:
    return RoutedClock(AcceleratorConfig(rows=size, cols=size, winograd=winograd), target, (1,), (mhz,), "", "")


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        row(4, 4, "ecp5-85k-6", 100.0),
        row(8, 4, "ecp5-85k-6", 80.0),
        row(8, 0, "ecp5-85k-6", 110.0),
        row(8, 4, "ecp5-85k-8", 120.0),
    ]
    (tmp_path / "clocks.toml").write_text(routed_clocks.as_text(found))
    monkeypatch.setattr(routed_clocks, "SHIPPED", tmp_path / "clocks.toml")


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("size", "winograd", "target", "like"),
    [
        (2, 4, "ecp5-25k-6", 100.0),
        (5, 4, "ecp5-85k-6", 100.0),
        (7, 4, "ecp5-45k-6", 80.0),
        (8, 0, "ecp5-85k-6", 110.0),
        (2, 0, "ecp5-85k-7", 110.0),  # the same tile before the same size
        (11, 4, "ecp5-85k-7", 80.0),  # grade 8 is faster than what is asked for
        (11, 4, "ecp5-85k-8", 120.0),  # both grades apply, and the faster row is nearer to what this one reaches
    ],
)
def test_the_nearest_row_counts(size: int, winograd: int, target: str, like: float) -> None:
    config = AcceleratorConfig(rows=size, cols=size, winograd=winograd)
    assert planned_mhz(config, find_target(target)) == int(MARGIN * like)


@pytest.mark.usefixtures("rows")
def test_nothing_is_planned_where_nothing_was_routed() -> None:
    assert planned_mhz(AcceleratorConfig(), find_target("xc7z020")) is None


def test_without_rows_there_is_no_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routed_clocks, "SHIPPED", tmp_path / "none.toml")
    assert planned_mhz(AcceleratorConfig(), find_target("ecp5-85k-6")) is None


def test_shipped_rows_are_planned_with() -> None:
    assert planned_mhz(AcceleratorConfig(rows=4, cols=4), find_target("ecp5-85k-6"))
