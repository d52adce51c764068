"""The whole accelerator against cocotbext-axi, at two array sizes, one of them not square and with register slices."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from cocotb_test.simulator import run

from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.rtl import verilator

pytestmark = pytest.mark.rtl

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = (
    AcceleratorConfig(rows=4, cols=4, winograd=0, input_buffer=512, weight_buffer=1024, accumulators=256,
                      output_buffer=64, burst_beats=16),
    AcceleratorConfig(rows=2, cols=3, winograd=4, input_buffer=512, weight_buffer=1024, accumulators=256,
                      output_buffer=64, burst_beats=32, reads_in_flight=2, writes_in_flight=1, fetch_ahead=2,
                      queue_depth=2, address_bits=40),
)  # fmt: skip


@pytest.mark.parametrize(
    ("config", "register_slices"),
    [(CONFIGS[0], False), (CONFIGS[1], False), (CONFIGS[1], True)],
    ids=["4x4", "2x3", "2x3 with register slices"],
)
def test_accelerator_with_independent_bus_partner(
    config: AcceleratorConfig, register_slices: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "wingrid.v"
    source.write_text(verilog.generate(config, register_slices=register_slices))
    for name, value in verilator.environment().items():
        monkeypatch.setenv(name, value)
    run(
        simulator="verilator",
        verilog_sources=[str(source)],
        toplevel="wingrid",
        module="accelerator_bench",
        python_search=[str(ROOT), str(ROOT / "tests/support"), str(ROOT / "tests/hw/cocotb_benches")],
        sim_build=str(tmp_path / "build"),
        compile_args=["-Wno-fatal"],
        extra_env={"WINGRID_CONFIG": json.dumps(dataclasses.asdict(config))},
        seed=1,
    )
