"""A build of a small network on a small accelerator, for tests that look at it or spoil a copy of it."""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
from pathlib import Path

import onnx
import pytest
from command_calls import call
from random_graphs import judged_case

from wingrid.host.builds import build
from wingrid.host.builds.contents import RECEIPT
from wingrid.host.test_benches.running import Simulator
from wingrid.hw.config import AcceleratorConfig

CONFIG = """
winograd = 0
rows = 2
cols = 2
bus_bytes = 8
input_buffer = 64
weight_buffer = 64
accumulators = 16
parameter_blocks = 4
output_buffer = 64
queue_depth = 2
fetch_ahead = 2
burst_beats = 8
reads_in_flight = 2
writes_in_flight = 2
"""
"""Small enough to be placed and routed within a minute."""

SEED = 2
"""Of the network."""


@functools.cache
def small_build() -> Path:
    """The folder of the build; nobody changes it."""
    place = Path(tempfile.mkdtemp(prefix="wingrid-build-"))
    model, _, _ = judged_case(SEED)
    onnx.save(model, place / "model.onnx")
    (place / "small.toml").write_text(CONFIG)
    options = ["--target", "ecp5-25k-6", "--config", place / "small.toml", "-o", place / "built"]
    with pytest.MonkeyPatch.context() as patch:
        # Compiling the bench in Verilator takes longer than all else; its own tests do.
        patch.setattr(build, "BENCH_CYCLES", {Simulator.ICARUS: build.BENCH_CYCLES[Simulator.ICARUS]})
        assert call("build", place / "model.onnx", *options) == 0
    return place / "built"


def copied(folder: Path) -> Path:
    """A copy of the build to spoil, whose receipt has no test bench: compiling one takes longer than all else."""
    copy = Path(shutil.copytree(small_build(), folder / "copy"))
    receipt = json.loads((copy / RECEIPT).read_text())
    receipt["results"]["test_bench"] = dict.fromkeys(receipt["results"]["test_bench"])
    (copy / RECEIPT).write_text(json.dumps(receipt))
    return copy


def small_config() -> AcceleratorConfig:
    """The accelerator of the build."""
    return AcceleratorConfig.load(small_build().parent / "small.toml")
