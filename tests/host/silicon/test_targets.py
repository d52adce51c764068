"""Chips that are known, and the cells that their families' netlists consist of."""

import re

import pytest

from wingrid.host.errors import UserError
from wingrid.host.silicon.area import OUTSIDE, Area, area_by_part, share
from wingrid.host.silicon.family import FAMILIES, KINDS
from wingrid.host.silicon.harness import harness
from wingrid.host.silicon.parts import parts
from wingrid.host.silicon.place_and_route import own_name
from wingrid.host.silicon.target import find_target
from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig

CONFIG = AcceleratorConfig(rows=2, cols=2)


def test_targets_have_a_speed_grade() -> None:
    chip = find_target("ecp5-85k-8")
    assert (chip.name, chip.speed, chip.logic, chip.multipliers, chip.memories) == ("ecp5-85k-8", "8", 83640, 156, 208)
    assert chip.routes
    assert find_target("ecp5-25k").name == "ecp5-25k-6"
    assert not find_target("xc7a100t-1").routes


@pytest.mark.parametrize("name", ["ecp5", "ecp5-85k-9", "xc7a100t-6", ""])
def test_unknown_targets_are_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UserError, match=re.escape(f"unknown target {name!r}; there are ecp5-25k-6/7/8, ")):
        find_target(name)


def test_cells_count_for_the_part_in_which_they_lie() -> None:
    ecp5 = FAMILIES["ecp5"]
    cells = {
        "wingrid.core.store.sum_LUT4_Z": {"type": "LUT4"},
        "wingrid.core.store.sum_CCU2C_S0": {"type": "CCU2C"},
        "wingrid.core.stores.memory_DO": {"type": "TRELLIS_DPR16X4"},
        "wingrid.core.idle_TRELLIS_FF_Q": {"type": "TRELLIS_FF"},
        "wingrid.loose": {"type": "LUT4"},
        "level_1_LUT4": {"type": "LUT4"},
        "wingrid.core.store.mux": {"type": "PFUMX"},
    }
    found = area_by_part(cells, ecp5, ["core", "core.store", "core.stores"])
    counts = {part: {kind: area.counts[kind] for kind in KINDS if area.counts[kind]} for part, area in found.items()}
    assert counts == {
        "core.store": {"logic": 1, "carry": 1},
        "core.stores": {"small memories": 1},
        "core": {"registers": 1},
        "": {"logic": 1},
        OUTSIDE: {"logic": 1},
    }
    assert found["core.store"].logic(ecp5) == 1 + 2
    assert found["core.stores"].logic(ecp5) == 6


def test_shares_are_of_the_targets_own_numbers() -> None:
    area = Area()
    area.counts |= {"logic": 6340, "multipliers": 24, "memories": 13.5, "carry": 99}
    found = share(area, find_target("xc7a100t-1"), FAMILIES["xc7"])
    assert found == {"logic": 0.1, "multipliers": 0.1, "memories": 0.1}


def test_parts_are_told_with_their_files() -> None:
    found = parts(CONFIG)
    assert found["core"] == "hw/core.py"
    assert found["core.store"] == "hw/store/store_engine.py"
    assert found["core.output_path.requantiser"] == "hw/store/requantiser.py"
    assert found["registers"] == "hw/control/register_file.py"
    # A part is an instance of that name in the Verilog.
    text = verilog.generate(CONFIG)
    for path in found:
        assert f"module wingrid_{path.replace('.', '_')}(" in text, path


def test_the_harness_hides_all_ports_behind_registers() -> None:
    text = verilog.generate(CONFIG)
    around = harness(text)
    assert around.startswith("module harness(input clk, input serial_in, output reg serial_out);")
    ports = verilog.ports(text)
    assert all(f".{port['name']}(" in around for port in ports)
    taken = sum(port["width"] for port in ports if port["direction"] == "input") - 1
    assert f"reg [{taken - 1}:0] taken;" in around


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("wingrid.core.reader.bus__arlen[4]", "core.reader.bus__arlen[4]"),
        ("wingrid.core.reader.bus__arlen_TRELLIS_FF_Q_4", "core.reader.bus__arlen"),
        ("wingrid.core.supervisor.delayed$32_TRELLIS_FF_Q", "core.supervisor.delayed$32"),
        ("wingrid.core.output_path.tile$13_LUT4_D_Z_PFUMX_ALUT_C0_LUT4_Z", "core.output_path.tile$13~"),
        ("wingrid.core.stores.memory.0.0_DO_3_LUT4_B_Z[0]", "core.stores.memory.0.0_DO_3~[0]"),
        ("wingrid.core.output_buffer.leaving.memory.0.14$DPRAM_COMB3", "core.output_buffer.leaving.memory.0.14"),
        ("$nextpnr_CCU2C_286$CIN", ""),
        ("level_0_TRELLIS_FF_Q_193", "level_0"),
    ],
)  # fmt: skip
def test_nets_and_cells_are_told_by_the_projects_own_names(name: str, told: str) -> None:
    assert own_name(name) == told
