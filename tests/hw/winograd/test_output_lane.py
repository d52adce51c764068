"""What yosys makes of an output lane's sums."""

from __future__ import annotations

from pathlib import Path

import pytest
from mapped_cells import XC7, mapped_cells

from wingrid.hw.winograd.output_lane import OutputLane


@pytest.mark.slow
def test_sums_of_one_of_several_take_no_look_up_table_beside_the_carry_chain(tmp_path: Path) -> None:
    bits = 24
    luts = sum(cell["type"].startswith("LUT") for cell in mapped_cells(OutputLane(bits=bits), tmp_path, XC7))
    # Two sums of neighbours, the choice of four operands, two sums of one of several; the latter would take two each.
    assert luts < 6 * bits
