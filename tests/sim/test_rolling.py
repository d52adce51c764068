"""Equal instances become loops, and whatever is not surely the same stays as it was.

That the loops compute what the instances did is what all other tests on the RTL show: each array of them is rolled.
"""

from __future__ import annotations

import re

import pytest
from layer_cases import RTL_CONFIGS

from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.mesh import Mesh
from wingrid.sim.rtl.rolling import rolled

ELEMENT = """\
module element(clk, held, sum_in, sum_out);
  reg wake_at_time_zero ;
  initial wake_at_time_zero <= 1'b0;
  wire [4:0] \\$1 ;
  reg [3:0] \\$2 ;
  reg [1:0] active ;
  input clk;
  wire clk;
  input held;
  wire held;
  input [3:0] sum_in;
  wire [3:0] sum_in;
  output [3:0] sum_out;
  reg [3:0] sum_out ;
  assign \\$1  = sum_in + { active[1], active[1], active };
  always @(posedge clk)
    sum_out <= \\$2 ;
  always @(posedge clk)
    active <= sum_in[1:0];
  always @* begin
    if (wake_at_time_zero ) begin end
    \\$2  = \\$1 [3:0];
    if (held) begin
      \\$2  = sum_out;
    end
  end
endmodule
"""
CHOICE = ELEMENT.replace("\\$2  = \\$1 [3:0];", "\\$2  = sum_in;")
"""Of a form that is known: both sides of the choice are signals."""
REGISTER = "  always @(posedge clk)\n    sum_out <= \\$2 ;\n"
COUNT = 8


def chain(element: str, last: str = "sum_8") -> str:
    """A module in which eight elements follow each other, and those elements."""
    wires = "".join(f"  wire [3:0] sum_{number};\n" for number in range(1, COUNT + 1))
    instances = "".join(
        f"  element element_{number} (\n    .clk(clk),\n    .held(held[{number}]),\n    .sum_in(sum_{number}),\n"
        f"    .sum_out({f'sum_{number + 1}' if number < COUNT - 1 else last})\n  );\n"
        for number in range(COUNT)
    )
    inputs = ("clk", "[7:0] held", "[3:0] sum_0")
    ports = "".join(f"  input {declared};\n  wire {declared};\n" for declared in inputs)
    body = f"{ports}{wires}{instances}  assign result = sum_8;\n"
    return f"{element}module top(clk, held, sum_0, result);\n{body}endmodule\n"


def test_a_chain_of_equal_elements_is_one_process_and_keeps_what_others_read() -> None:
    text = rolled(chain(CHOICE))
    top = text[text.index("module top") :]
    assert "element_" not in top
    assert "  reg [3:0] sum_8;\n" in top
    assert top.count("sum_8 <= ") == 1
    assert top.count("<=") == 1  # nobody else reads the others
    assert "[rolled_0_i - 32'd1];" in top
    assert "{ held[7], held[6], held[5], held[4], held[3], held[2], held[1], held[0] }" in top
    assert top.count("$signed(") == 0  # the sign extension hangs on nothing that is read


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a choice of anything but signals", chain(ELEMENT)),
        ("fewer instances than are worth it", chain(CHOICE).replace("  element element_3 (", "  other element_3 (")),
        ("an output that is no wire of its own", chain(CHOICE, "other[3:0]")),
        ("an output that is no register", chain(CHOICE.replace(REGISTER, "  assign sum_out = \\$2 ;\n"))),
        ("two clocks", chain(CHOICE.replace("posedge clk)\n    active", "posedge held)\n    active"))),
        ("logic that reads itself", chain(CHOICE.replace("= sum_in;", "= \\$2 ;"))),
        ("a memory", chain(CHOICE.replace("  reg [1:0] active ;", "  reg [1:0] active [3:0];"))),
        ("an input left open", chain(CHOICE).replace("    .held(held[3]),\n", "")),
    ],
)  # fmt: skip
def test_what_is_not_known_stays_as_it_is(what: str, text: str) -> None:
    assert rolled(text) == text, what


@pytest.mark.parametrize("config", RTL_CONFIGS.values(), ids=RTL_CONFIGS)
def test_only_the_first_row_of_the_mesh_may_stay_instances(config: AcceleratorConfig) -> None:
    text = rolled(verilog.convert(Mesh(config), header=[]))
    left = re.findall(r"^  \w+ (element_\d+_\d+) \($", text, flags=re.MULTILINE)
    assert len(left) == (config.cols if config.rows * config.cols >= 12 else config.rows * config.cols)
    assert "32'd4];" in text or len(left) > config.cols  # what goes down comes from the row above
