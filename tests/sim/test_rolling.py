"""Equal instances become loops, and whatever is not surely the same stays as it was.

That the loops compute what the instances did is shown here of small ones in all forms that are known, and by all other
tests on the RTL: lanes of four columns are rolled, and so is the mesh of any array that is larger than six elements.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from equal_verilog import difference
from layer_cases import RTL_CONFIGS

from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.mesh import Mesh
from wingrid.hw.store.pooler import Pooler
from wingrid.hw.store.requantiser import Requantiser
from wingrid.hw.winograd.exact_division import ExactDivision
from wingrid.hw.winograd.input_axis import InputAxis
from wingrid.hw.winograd.output_axis import OutputAxis
from wingrid.hw.winograd.weight_transform import WeightTransform
from wingrid.hw.winograd_matrices import winograd
from wingrid.sim.rtl.rolling import FEWEST, rolled

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
REGISTER = "  always @(posedge clk)\n    sum_out <= \\$2 ;\n"
ADDITION = "sum_in + { active[1], active[1], active }"
DEFAULT = "    \\$2  = \\$1 [3:0];\n"
COUNT = FEWEST

FORMS = {
    "a choice": ELEMENT,
    "a selection": ELEMENT.replace(ADDITION, "held ? { active[1], active } : sum_in"),
    "signed operands": ELEMENT.replace(ADDITION, "$signed(sum_in) - $signed(active)"),
    "a comparison": ELEMENT.replace(ADDITION, "$signed(sum_in) < $signed(active)"),
    "a product": ELEMENT.replace(ADDITION, "sum_in * active"),
    "a reduction": ELEMENT.replace(ADDITION, "| sum_in[3:2]"),
    "a complement": ELEMENT.replace(ADDITION, "~ { active[0], sum_in }"),
    "a shift to the right": ELEMENT.replace(ADDITION, "{ sum_in[0], sum_in } >> active"),
    "a shift out of all vectors": ELEMENT.replace(ADDITION, "sum_in << sum_out").replace("[4:0]", "[78:0]"),
    "more bits than a word": ELEMENT.replace(ADDITION, "sum_in - active").replace("[4:0]", "[40:0]"),
    "copies of an upper bit before the next": ELEMENT.replace(ADDITION, "{ active[1], active[1], active[0], 2'h1 }"),
    "copies of another bit": ELEMENT.replace(ADDITION, "{ active[0], active[0], active[0], sum_in[2], held }"),
    "a bit that another one follows": ELEMENT.replace(ADDITION, "sum_in & sum_in").replace(
        "= sum_out;", "= { sum_out[3], sum_out[1], sum_out[3], sum_out[2] };"
    ),
    "an otherwise": ELEMENT.replace(DEFAULT, "").replace(
        "    end\n", "    end else begin\n      \\$2  = sum_in;\n    end\n"
    ),
    "another condition": ELEMENT.replace(
        "    end\n", "    end else if (active[0]) begin\n      \\$2  = { sum_in[1:0], active };\n    end\n"
    ),
    "one condition within another": ELEMENT.replace(
        "    end\n", "      if (active[0]) begin\n        \\$2  = 4'h9;\n      end\n    end\n"
    ),
    "some cases": ELEMENT.replace(
        "if (held) begin\n      \\$2  = sum_out;\n    end",
        "casez (active)\n      2'h2:\n          /* empty */;\n      2'h0, 2'h3:\n          \\$2  = sum_out;\n"
        "      2'h1: begin\n        if (held) begin\n"
        "          \\$2  = 4'h5;\n        end\n      end\n    endcase",
    ),
    "all cases": ELEMENT.replace(
        DEFAULT + "    if (held) begin\n      \\$2  = sum_out;\n    end",
        "    (* full_case = 32'd1 *)\n    casez (held)\n      1'h0:\n          \\$2  = sum_in;\n      1'h1:\n"
        "          \\$2  = \\$1 [4:1];\n    endcase",
    ),
}  # fmt: skip


RESTING_ELEMENT = (
    ELEMENT.replace(ADDITION, "~ { active[0], sum_in }")
    .replace("  input clk;", "".join(f"  reg [3:0] late_{n} ;\n" for n in range(12)) + "  input clk;")
    .replace(
        "    sum_out <= \\$2 ;\n",
        "    sum_out <= late_11;\n  always @(posedge clk)\n    late_0 <= \\$2 ;\n"
        + "".join(f"  always @(posedge clk)\n    late_{n} <= late_{n - 1};\n" for n in range(1, 12)),
    )
    .replace("held) begin\n      \\$2  = sum_out;", "held) begin\n      \\$2  = late_0;")
)
"""With so many registers that it pays to see whether anything changes, which are not 0 in the end."""


def chain(element: str, last: str = f"sum_{COUNT}") -> str:
    """A module in which elements follow each other, and those elements."""
    wires = "".join(f"  wire [3:0] sum_{number};\n" for number in range(1, COUNT + 1))
    instances = "".join(
        f"  element element_{number} (\n    .clk(clk),\n    .held(held[{number}]),\n    .sum_in(sum_{number}),\n"
        f"    .sum_out({f'sum_{number + 1}' if number < COUNT - 1 else last})\n  );\n"
        for number in range(COUNT)
    )
    inputs = ("clk", f"[{COUNT - 1}:0] held", "[3:0] sum_0")
    ports = "".join(f"  input {declared};\n  wire {declared};\n" for declared in inputs)
    outputs = f"  output [3:0] result;\n  wire [3:0] result;\n  assign result = sum_{COUNT};\n"
    return f"{element}module top(clk, held, sum_0, result);\n{ports}{wires}{instances}{outputs}endmodule\n"


def test_a_chain_of_equal_elements_is_one_process_and_keeps_what_others_read() -> None:
    text = rolled(chain(ELEMENT))
    top = text[text.index("module top") :]
    assert "element_" not in top
    assert f"  reg [3:0] sum_{COUNT};\n" in top
    assert top.count(f"sum_{COUNT} <= ") == 1
    assert top.count("<=") == 1  # nobody else reads the others
    assert "[rolled_0_i - 32'd1];" in top
    assert f"{{ {', '.join(f'held[{number}]' for number in reversed(range(COUNT)))} }}" in top
    assert "?" not in top  # no branches


@pytest.mark.parametrize("form", FORMS)
def test_loops_compute_what_the_instances_did(form: str, tmp_path: Path) -> None:
    """From registers that are 0, until all inputs have come out, for all inputs, says a solver of satisfiability."""
    element = FORMS[form]
    assert form == "a choice" or element != ELEMENT
    text = chain(element)
    loops = rolled(text)
    assert loops != text
    found = difference(text, loops, tmp_path)
    assert not found, found


def test_a_loop_rests_until_something_changes(tmp_path: Path) -> None:
    text = re.sub(r"\.sum_in\(sum_\d\)", ".sum_in(sum_0)", chain(RESTING_ELEMENT))
    loops = rolled(text)
    assert "if (rolled_0_" in loops
    found = difference(text, loops, tmp_path, cycles=18)
    assert not found, found


def test_a_difference_is_found(tmp_path: Path) -> None:
    text = chain(FORMS["signed operands"])
    broken = rolled(text).replace("$signed(rolled_0_2[rolled_0_i][1:0])", "rolled_0_2[rolled_0_i][1:0]")
    assert broken != rolled(text)
    assert "proof did fail" in difference(text, broken, tmp_path)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("an operator that is not known", chain(ELEMENT.replace("active };", "active } + 4'h1;"))),
        ("fewer instances than are worth it", chain(ELEMENT).replace("  element element_", "  other element_")),
        ("an output that is no wire of its own", chain(ELEMENT, "other[3:0]")),
        ("an output that is no register", chain(ELEMENT.replace(REGISTER, "  assign sum_out = \\$2 ;\n"))),
        ("two clocks", chain(ELEMENT.replace("posedge clk)\n    active", "posedge held)\n    active"))),
        ("logic that reads itself", chain(ELEMENT.replace("= \\$1 [3:0];", "= \\$2 ;"))),
        ("a memory", chain(ELEMENT.replace("  reg [1:0] active ;", "  reg [1:0] active [3:0];"))),
        ("a signal that keeps its value", chain(ELEMENT.replace(DEFAULT, ""))),
        ("a condition of several bits", chain(ELEMENT.replace("if (held)", "if (active)"))),
        ("a pattern of cases", chain(FORMS["some cases"].replace("2'h1: begin", "2'b1?: begin"))),
        ("two signals in one process", chain(ELEMENT.replace("      \\$2  = sum_out;", "      \\$3  = sum_out;"))),
    ],
)  # fmt: skip
def test_what_is_not_known_stays_as_it_is(what: str, text: str) -> None:
    assert rolled(text) == text, what


def test_an_instance_that_lacks_an_input_stays() -> None:
    text = chain(ELEMENT)
    fifth = text[text.index("  element element_3 (") : text.index("  output [3:0] result;")].replace(
        "element_3", "element_4"
    )
    fifth = fifth.replace("    .held(held[3]),\n", "").replace("sum_4", "sum_5")
    text = rolled(text.replace("  output [3:0] result;", f"  wire [3:0] sum_5;\n{fifth}  output [3:0] result;"))
    assert re.findall(r"^  \w+ (element_\d+) \($", text, flags=re.MULTILINE) == ["element_4"]


@pytest.mark.parametrize("config", RTL_CONFIGS.values(), ids=RTL_CONFIGS)
def test_rows_of_the_mesh_below_the_first_one_become_one_loop(config: AcceleratorConfig) -> None:
    text = rolled(verilog.convert(Mesh(config), header=[]))
    left = re.findall(r"^  \w+ (element_\d+_\d+) \($", text, flags=re.MULTILINE)
    assert len(left) == (0 if config.cols >= FEWEST else config.rows * config.cols)
    assert f"32'd{config.cols}];" in text or left  # what goes down comes from the row above


@pytest.mark.parametrize(
    "component",
    [
        InputAxis(lanes=4, input_bits=8, output_bits=12),
        OutputAxis(lanes=4, bits=34),
        ExactDivision([winograd(2), winograd(4)], lanes=4, bits=34),
        WeightTransform(AcceleratorConfig(rows=4, cols=4)),
        Requantiser(AcceleratorConfig(rows=4, cols=4)),
        Pooler(AcceleratorConfig(rows=4, cols=4)),
    ],
    ids=lambda component: type(component).__name__,
)
def test_all_lanes_become_loops(component: object) -> None:
    text = rolled(verilog.convert(component, header=[]))  # type: ignore[arg-type]
    assert "lane_0 (" not in text
    assert "rolled_0_i" in text
