"""Multipliers, and the registers around them, become DSP48E1 of 7-series chips whole, as yosys maps them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mapped_cells import mapped_cells

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.mesh import Mesh
from wingrid.hw.store.requantiser import RequantiserLane

pytestmark = pytest.mark.slow


def registers(found: list[dict[str, Any]]) -> list[dict[str, int]]:
    """Which registers each DSP48E1 uses, and whether its sum comes by the cascade from the block beside it."""
    return [
        {
            **{name: int(cell["parameters"][name], 2) for name in ("AREG", "BREG", "MREG", "PREG")},
            "PCIN": int(any(isinstance(bit, int) for bit in cell["connections"].get("PCIN", []))),
        }
        for cell in found
        if cell["type"] == "DSP48E1"
    ]


@pytest.mark.parametrize("winograd", [0, 4])
def test_an_element_is_one_block_and_the_sums_go_down_the_cascade(winograd: int, tmp_path: Path) -> None:
    config = AcceleratorConfig(rows=3, cols=2, winograd=winograd)
    found = mapped_cells(Mesh(config), tmp_path)
    blocks = registers(found)
    assert len(blocks) == config.multipliers
    for block in blocks:
        assert block["AREG"] >= 1
        assert (block["BREG"], block["MREG"], block["PREG"]) == (1, 1, 1)
    assert sum(block["PCIN"] for block in blocks) == config.multipliers - config.cols, "all rows but the first"
    kinds = Counter(cell["type"] for cell in found)
    assert not [kind for kind in kinds if kind.startswith(("LUT", "CARRY"))], "nothing is left to do outside"


def test_the_requantisers_products_have_registers_on_both_sides(tmp_path: Path) -> None:
    blocks = registers(mapped_cells(RequantiserLane(AcceleratorConfig(rows=2, cols=2, winograd=4)), tmp_path))
    assert len(blocks) == 3
    for block in blocks:
        assert block["AREG"] >= 1
        assert (block["BREG"], block["MREG"]) == (1, 1)
