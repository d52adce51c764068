"""``docs/utilisation.md`` shows what its command prints."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def utilisation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from tests.bench import utilisation

    return utilisation


@pytest.mark.slow
def test_the_table_of_depthwise_layers_is_what_its_command_prints(utilisation: ModuleType) -> None:
    page = (ROOT / "docs" / "utilisation.md").read_text()
    assert "\n".join(utilisation.depthwise_lines()) in page


def test_what_holds_a_layer_back_is_its_smallest_factor(utilisation: ModuleType) -> None:
    def looked(of_bound: float) -> object:
        factors = {"lanes": 0.9, "edges": 0.3, "weights": 1.0, "memory": 1.0, "start": 0.8}
        return utilisation.Looked("layer", "3x3", "direct", 100, 0.2, of_bound, factors)

    assert looked(0.49).cause == "edges"
    assert looked(0.5).cause is None
    assert utilisation.line("one", [looked(0.2), looked(0.6), looked(0.7)]) == (
        "| one | 300 | 2: 66.7% | - | 1: 33.3% | - | - | - |"
    )
