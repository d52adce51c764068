"""Two front ends that share no code, Verilator and slang, find nothing to say about the exported Verilog.

All of their warnings are on, but for those that are waived by name and with a reason.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import timing_cases

from wingrid.hw import verilog
from wingrid.sim.rtl import verilator

pytestmark = pytest.mark.rtl

SLANG_WAIVERS = {
    "sign-conversion": "Amaranth keeps signed values in unsigned nets and says $signed where it counts",
    "arith-op-mismatch": "Amaranth sizes operands by its own rules and lets Verilog extend the narrower one",
    "case-default": "Amaranth's case statements leave a signal at the default assigned above them",
    "case-incomplete": "the same, of cases of which some values are not named",
    "unused-but-set-net": "Amaranth names every intermediate value, also where nothing needs it",
    "unused-port": "components have the signals of a whole bus, also those that they need not look at",
}
"""Warnings of slang that the generated Verilog raises, each with the reason why it may."""

CONFIGS = {name: timing_cases.CONFIGS[name] for name in ("4x4", "3x2", "8x2")}
"""With F(4x4), without Winograd, with F(2x2)."""


@functools.cache
def text(name: str) -> str:
    return verilog.generate(CONFIGS[name])


def verilators_opinion(source: Path) -> subprocess.CompletedProcess[str]:
    waivers = [f"-Wno-{name}" for name in verilator.WAIVERS]
    options = ["--lint-only", "--quiet-stats", "-Wall", *waivers, "--top-module", verilog.TOP]
    command = [str(verilator.program()), *options, str(source)]
    return subprocess.run(command, env=verilator.environment(), capture_output=True, text=True)


def slangs_opinion(source: Path) -> subprocess.CompletedProcess[str]:
    waivers = [word for name in SLANG_WAIVERS for word in ("--waive", name)]
    command = [
        sys.executable,
        str(Path(__file__).with_name("slang_lint.py")),
        str(source),
        "--top",
        verilog.TOP,
        *waivers,
    ]
    return subprocess.run(command, capture_output=True, text=True)


Opinion = Callable[[Path], subprocess.CompletedProcess[str]]
FRONT_ENDS = [verilators_opinion, slangs_opinion]


@pytest.mark.parametrize("opinion", FRONT_ENDS)
@pytest.mark.parametrize("name", CONFIGS)
def test_front_end_is_silent_but_for_the_named_waivers(name: str, opinion: Opinion, tmp_path: Path) -> None:
    source = tmp_path / "wingrid.v"
    source.write_text(text(name))
    said = opinion(source)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


@pytest.mark.parametrize("waivers", [verilator.WAIVERS, SLANG_WAIVERS], ids=["verilator", "slang"])
def test_each_waiver_has_its_reason(waivers: dict[str, str]) -> None:
    assert all(waivers.values())


@pytest.mark.parametrize(
    ("added", "word"),
    [
        ("  nothing_of_that_name a(.b(clk));\n", "nothing_of_that_name"),
        ("  wire c = undeclared_thing;\n", "undeclared_thing"),
    ],
    ids=["an unknown module", "an unknown name"],
)
@pytest.mark.parametrize("opinion", FRONT_ENDS)
def test_front_end_notices(added: str, word: str, opinion: Opinion, tmp_path: Path) -> None:
    source = tmp_path / "wingrid.v"
    source.write_text(text("3x2").replace("endmodule", f"{added}endmodule", 1))
    said = opinion(source)
    assert said.returncode
    assert word in said.stderr
