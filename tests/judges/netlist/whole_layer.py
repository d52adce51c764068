"""What yosys makes of the Verilog for a 7-series chip does a whole layer: golden's results, the RTL's cycles.

The netlist, of look-up tables, flip-flops and DSP48E1, runs in Icarus Verilog with yosys' models of its cells, on the
same bench as the exported text. Memory and all counters have to be those of Verilator's run of the RTL. Verilator would
take minutes to translate the netlist, whose carry chains feed themselves bit by bit in their model.
"""

from __future__ import annotations

import functools
import re
import sys
import tempfile
from pathlib import Path

import pytest
import single_group
from icarus_bench import counters, icarus, verilated

from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.registers import Register, Status, readings

sys.path.insert(0, str(Path(__file__).parent))

from netlist import cells, netlist

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

SIZES = {
    "rows": 2, "cols": 2, "input_buffer": 64, "weight_buffer": 40, "parameter_blocks": 2, "burst_beats": 8,
    "queue_depth": 2, "fetch_ahead": 2, "reads_in_flight": 2, "writes_in_flight": 2,
}  # fmt: skip
CONFIGS = {
    0: AcceleratorConfig(winograd=0, accumulators=16, output_buffer=16, **SIZES),
    4: AcceleratorConfig(winograd=4, accumulators=72, output_buffer=32, **SIZES),
}
LAYER = {"channels": 2, "filters": 4, "height": 4, "width": 4}
EXPECTED = {"FDRE", "CARRY4", "DSP48E1", "RAM32M", *(f"LUT{inputs}" for inputs in range(2, 7))}
"""Cells without which it would be no netlist."""


@functools.cache
def mapped(tile: int) -> str:
    """The netlist of one of the two."""
    with tempfile.TemporaryDirectory() as folder:
        return netlist(verilog.generate(CONFIGS[tile]), Path(folder))


@pytest.mark.parametrize("tile", CONFIGS)
def test_the_netlist_is_the_machine(tile: int, tmp_path: Path) -> None:
    config, group = CONFIGS[tile], single_group.build(CONFIGS[tile], tile=tile, **LAYER)
    counted, memory = verilated(config, group)
    assert cells(mapped(tile)) >= EXPECTED
    said, registers, after = icarus(mapped(tile), config, group, tmp_path, warnings=())
    assert said.splitlines()[-1] == "PASSED", said
    assert {register: registers[register] for register in readings(config)} == readings(config)
    assert registers[Register.STATUS] == Status.DONE
    assert counters(registers) == counted
    assert after.tobytes() == memory


def test_the_judge_notices_a_dsp_block_without_its_register(tmp_path: Path) -> None:
    config, group = CONFIGS[0], single_group.build(CONFIGS[0], **LAYER)
    broken, count = re.subn(r"\.MREG\(1'h1\)", ".MREG(1'h0)", mapped(0), count=1)
    assert count == 1
    said, _, after = icarus(broken, config, group, tmp_path, warnings=())
    results = after[single_group.RESULTS : single_group.RESULTS + group.expected.size]
    assert said.splitlines()[-1] == "PASSED", said
    assert results.tobytes() != group.expected.tobytes()
