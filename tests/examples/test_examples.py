"""Every example runs to its end and says what it promises."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NOT_RUN = {"export_small_digits.py", "prune_digits.py"}
"""They need PyTorch, or the package index and minutes."""
SAYS = {
    "estimate_sweep.py": "best used: ",
    "one_layer.py": "all 720 values equal numpy's",
    "run_onnx_model.py": "of 20 digits recognised, every bit ONNX Runtime's",
    "read_trace.py": "memory bus  |",
}


@pytest.mark.rtl
@pytest.mark.parametrize("name", SAYS)
def test_it_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert SAYS[name] in capsys.readouterr().out


def test_all_are_known_and_small() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*SAYS, *NOT_RUN}
    assert all(path.stat().st_size < 100 * 1024 for path in EXAMPLES.iterdir() if path.is_file())
