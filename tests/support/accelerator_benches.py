"""The bench of the whole accelerator with cocotbext-axi as its bus partner."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from cocotb_test.simulator import run
from component_bench import COMPILE_ARGS

from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.rtl import verilator

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = (
    AcceleratorConfig(rows=4, cols=4, winograd=0, input_buffer=512, weight_buffer=1024, accumulators=256,
                      output_buffer=64, burst_beats=16),
    AcceleratorConfig(rows=2, cols=3, winograd=4, input_buffer=512, weight_buffer=1024, accumulators=256,
                      output_buffer=64, burst_beats=32, reads_in_flight=2, writes_in_flight=1, fetch_ahead=2,
                      queue_depth=2, address_bits=40),
)  # fmt: skip


def run_bench(
    config: AcceleratorConfig, folder: Path, monkeypatch: pytest.MonkeyPatch, *, register_slices: bool = False
) -> None:
    """All of ``accelerator_bench`` on that accelerator, in Verilator, within the folder."""
    source = folder / "wingrid.v"
    source.write_text(verilog.generate(config, register_slices=register_slices))
    for name, value in verilator.environment().items():
        monkeypatch.setenv(name, value)
    run(
        simulator="verilator",
        verilog_sources=[str(source)],
        toplevel="wingrid",
        module="accelerator_bench",
        python_search=[str(ROOT), str(ROOT / "tests/support"), str(ROOT / "tests/hw/cocotb_benches")],
        sim_build=str(folder / "build"),
        compile_args=COMPILE_ARGS,
        extra_env={"WINGRID_CONFIG": json.dumps(dataclasses.asdict(config))},
        seed=1,
    )
