"""The whole accelerator against cocotbext-axi, at two array sizes, one of them not square."""

from __future__ import annotations

from pathlib import Path

import pytest
from accelerator_benches import CONFIGS, run_bench

from wingrid.hw.config import AcceleratorConfig

pytestmark = pytest.mark.rtl


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(config, id=f"{config.rows}x{config.cols}", marks=[] if config.winograd else [pytest.mark.long])
        for config in CONFIGS
    ],
)
def test_accelerator_with_independent_bus_partner(
    config: AcceleratorConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_bench(config, tmp_path, monkeypatch)
