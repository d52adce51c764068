"""The accelerator behind register slices, against cocotbext-axi: the bench of the bare one, with nothing changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from accelerator_benches import CONFIGS, run_bench

pytestmark = pytest.mark.rtl


def test_the_bench_of_the_bare_accelerator_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_bench(CONFIGS[-1], tmp_path, monkeypatch, register_slices=True)
