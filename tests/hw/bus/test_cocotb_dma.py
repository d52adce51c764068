"""The DMA as Verilog, in cocotb, against cocotbext-axi."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from component_bench import run_bench
from dma_device import DmaDevice

from wingrid.hw.config import AcceleratorConfig

pytestmark = pytest.mark.rtl


def test_dma_with_independent_bus_partner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A beat is wider than a channel block, so that its upper bytes count as well.
    config = AcceleratorConfig(
        rows=4, cols=4, winograd=4, bus_bytes=8, output_buffer=64, queue_depth=4, burst_beats=16, reads_in_flight=4,
        writes_in_flight=2, address_bits=40,
    )  # fmt: skip
    settings = {"WINGRID_CONFIG": json.dumps(dataclasses.asdict(config))}
    run_bench(DmaDevice(config), "dma_bench", tmp_path, monkeypatch, settings)
