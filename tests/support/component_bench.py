"""A single component as Verilog, compiled by Verilator, under a cocotb bench."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from amaranth.lib import wiring
from cocotb_test.simulator import run

from wingrid.hw import verilog
from wingrid.sim.rtl import verilator

ROOT = Path(__file__).resolve().parents[2]

COMPILE_ARGS = ["-Wno-fatal", "--no-public-flat-rw", "--public-depth", "1"]
"""Benches touch ports only. cocotb-test makes every signal public, with which the accelerator compiles and runs half as
fast."""


def run_bench(
    component: wiring.Component,
    bench: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
) -> None:
    """Run all tests of ``tests/hw/cocotb_benches``' module ``bench``, which finds ``settings`` in its environment."""
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
        compile_args=COMPILE_ARGS,
        extra_env=settings,
        seed=1,
    )
