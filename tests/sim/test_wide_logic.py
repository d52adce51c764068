"""Wide vectors of which lanes are read are told lane by lane, and compute what they did."""

from __future__ import annotations

from pathlib import Path

import pytest
from equal_verilog import difference

from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.rtl.wide_logic import by_parts

LANE, LANES = 34, 3
BITS = LANE * LANES
MASK = ", ".join(f"chosen[{lane}]" for lane in reversed(range(LANES)) for _ in range(LANE))
SUMS = "".join(
    f"  assign sum[{LANE * lane + LANE - 1}:{LANE * lane}] = operand[{LANE * lane + LANE - 1}:{LANE * lane}]"
    f" + lanes[{LANE * lane + LANE - 1}:{LANE * lane}];\n"
    for lane in range(LANES)
)
TEXT = f"""\
module top(lanes, other, chosen, also, sum);
  wire [{BITS - 1}:0] \\$1 ;
  wire [{BITS - 1}:0] \\$2 ;
  input [{LANES - 1}:0] chosen;
  wire [{LANES - 1}:0] chosen;
  input also;
  wire also;
  input [{BITS - 1}:0] lanes;
  wire [{BITS - 1}:0] lanes;
  wire [{BITS - 1}:0] operand;
  input [{BITS - 1}:0] other;
  wire [{BITS - 1}:0] other;
  output [{BITS - 1}:0] sum;
  wire [{BITS - 1}:0] sum;
  assign \\$1  = lanes & {{ {MASK} }};
  assign \\$2  = \\$1 ;
  assign operand = \\$2  | other;
{SUMS}endmodule
"""
WHOLE = "  assign operand = \\$2  | other;\n"
FORMS = {
    "one mask": TEXT,
    # Yosys joins neighbouring bits.
    "joined bits": TEXT.replace("chosen[2], chosen[1]", "chosen[2:1]"),
    "a signal of one bit": TEXT.replace("chosen[1]", "also"),
    "other operators": TEXT.replace("lanes & {", "lanes ^ {").replace("| other", "& other"),
    "bits that change within a lane": TEXT.replace("chosen[0], chosen[0]", "chosen[0], also", 1),
    "masks on the left": TEXT.replace(f"lanes & {{ {MASK} }}", f"{{ {MASK} }} & lanes"),
}


@pytest.mark.parametrize("form", FORMS)
def test_lanes_are_told_one_by_one_and_compute_the_same(form: str, tmp_path: Path) -> None:
    """For all inputs, says a solver."""
    text = FORMS[form]
    assert form == "one mask" or text != TEXT
    lanes = by_parts(text)
    assert WHOLE not in lanes
    assert "assign operand =" not in lanes
    assert lanes.count("  assign operand[") == LANES
    found = difference(text, lanes, tmp_path, cycles=1)
    assert not found, found


def test_another_lanes_bit_is_found(tmp_path: Path) -> None:
    lanes = by_parts(TEXT)
    broken = lanes.replace("{34{chosen[1]}}", "{34{chosen[2]}}")
    assert broken != lanes
    assert "proof did fail" in difference(TEXT, broken, tmp_path, cycles=1)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("read as a whole", TEXT.replace("assign sum[33:0] = operand[33:0]", "assign sum[33:0] = !operand")),
        ("parts that overlap", TEXT.replace("= operand[67:34]", "= operand[66:33]")),
        ("an output", TEXT.replace("operand", "sum").replace(SUMS.replace("operand", "sum"), "")),
        ("no single bits", TEXT.replace(f"{{ {MASK} }}", "other")),
        ("numbers among the bits", TEXT.replace("{ chosen[2]", "{ 1'h1")),
        ("a sum", TEXT.replace("  | other", "  + other")),
        ("a condition", TEXT.replace("\\$2  | other", "also ? \\$2  : other")),
        ("no wider than a word", TEXT.replace(f"[{BITS - 1}:0] operand", "[63:0] operand")),
    ],
)
def test_what_is_not_known_stays(what: str, text: str) -> None:
    assert text != TEXT, what
    assert by_parts(text) == text


def test_the_choice_between_accumulators_is_made_lane_by_lane() -> None:
    config = AcceleratorConfig(rows=4, cols=4, winograd=4)
    text = by_parts(verilog.generate(config))
    assert all(f"{{{{{config.accumulator_bits}{{chosen_1[{lane}]}}}}}}" in text.replace(" ", "") for lane in range(4))
