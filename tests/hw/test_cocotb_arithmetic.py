"""Matrix unit and requantiser as Verilog, in cocotb."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from component_bench import run_bench

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.accumulators import accumulator_tag
from wingrid.hw.mesh.matrix_unit import MatrixUnit
from wingrid.hw.store.requantiser import Requantiser

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(("rows", "cols", "winograd"), [(2, 3, 4), (4, 4, 0)])
def test_matrix_unit_with_stalls_on_both_streams(
    rows: int, cols: int, winograd: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = AcceleratorConfig(rows=rows, cols=cols, winograd=winograd)
    tag = accumulator_tag(config)
    unit = MatrixUnit(config, tag)
    settings = {
        "WINGRID_CONFIG": json.dumps(dataclasses.asdict(config)),
        "WINGRID_LATENCY": str(unit.latency_for(config)),
        "WINGRID_TAG_BITS": str(tag.size),
    }
    run_bench(unit, "matrix_unit_bench", tmp_path, monkeypatch, settings)


def test_requantiser_with_random_data_and_corners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = AcceleratorConfig(rows=2, cols=3, winograd=4)
    requantiser = Requantiser(config)
    settings = {
        "WINGRID_COLS": str(config.cols),
        "WINGRID_SUM_BITS": str(config.accumulator_bits),
        "WINGRID_LATENCY": str(requantiser.latency),
    }
    run_bench(requantiser, "requantiser_bench", tmp_path, monkeypatch, settings)
