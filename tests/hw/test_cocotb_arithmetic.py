"""Matrix unit and requantiser as Verilog, in cocotb."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
from amaranth.lib import wiring
from cocotb_test.simulator import run

from hw import verilog
from hw.accumulators import accumulator_tag
from hw.config import AcceleratorConfig
from hw.matrix_unit import MatrixUnit
from hw.requantiser import Requantiser
from sim import verilator

ROOT = Path(__file__).resolve().parents[2]


def run_bench(
    component: wiring.Component,
    bench: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
) -> None:
    source = folder / "wingrid.v"
    source.write_text(verilog.convert(component, header=[]))
    for name, value in verilator.environment().items():
        monkeypatch.setenv(name, value)
    # For a few thousand cycles, compiling takes longer than running.
    monkeypatch.setenv("MAKEFLAGS", f"{os.environ['MAKEFLAGS']} OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0")
    run(
        simulator="verilator",
        verilog_sources=[str(source)],
        toplevel="wingrid",
        module=bench,
        python_search=[str(ROOT), str(ROOT / "tests/support"), str(ROOT / "tests/hw/cocotb_benches")],
        sim_build=str(folder / "build"),
        compile_args=["-Wno-fatal"],
        extra_env=settings,
        seed=1,
    )


@pytest.mark.parametrize(("rows", "cols", "winograd"), [(2, 3, 4), (4, 4, 0)])
def test_matrix_unit_with_stalls_on_both_streams(
    rows: int, cols: int, winograd: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = AcceleratorConfig(rows=rows, cols=cols, winograd=winograd)
    tag = accumulator_tag(config)
    unit = MatrixUnit(config, tag)
    settings = {
        "WINGRID_CONFIG": json.dumps(dataclasses.asdict(config)),
        "WINGRID_LATENCY": str(unit.latency),
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
