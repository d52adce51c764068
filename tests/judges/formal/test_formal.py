"""What is proved: unbounded for the parts, bounded for the whole machine; and that the judge notices broken designs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import benches
from prove import Mutation, Verdict, prove, search
from rules import Bench

pytestmark = pytest.mark.slow

PARTS = (
    benches.WriteMasterBench,
    benches.ReadMasterBench,
    benches.RegisterFileBench,
    benches.FetchBench,
    benches.OutputBufferBench,
)
LOAD_CYCLES = 100
"""Three of the load engine's rules about requests were not decided without a bound in ten minutes."""
MUTATION_CYCLES = 20


def judge(bench: Bench, verdict: Verdict) -> None:
    """Every rule holds, and every witness was seen: the rules are about something."""
    print(f"{type(bench).__name__}: {len(bench.rules)} rules, {verdict.seconds:.1f} s")
    assert verdict.decided, verdict.log
    assert not verdict.broken, verdict.log
    assert verdict.seen == frozenset(bench.witnesses), verdict.log


@pytest.mark.parametrize("part", PARTS)
def test_the_rules_of_a_part_hold_for_ever(part: type[Bench]) -> None:
    bench = part()
    judge(bench, prove(bench))


def test_the_load_engines_rules_hold_for_a_hundred_cycles() -> None:
    bench = benches.LoadBench()
    judge(bench, search(bench, cycles=LOAD_CYCLES))


def replaced(pattern: str, instead: str) -> Mutation:
    return lambda text: re.sub(pattern, instead, text, flags=re.MULTILINE)


MUTATIONS: dict[str, tuple[type[Bench], Mutation, str]] = {
    "a late WLAST": (
        benches.WriteMasterBench,
        replaced(r"^(  assign bus__wlast = remaining == )\S+;", r"\g<1>9'd2;"),
        "WLAST position",
    ),
    "AWLEN of one too many": (
        benches.WriteMasterBench,
        replaced(r"^(  assign \\\$\d+ += output__payload\[40:32\] - )1'h1;", r"\g<1>1'h0;"),
        "WLAST position",
    ),
    "AR falls without ARREADY": (
        benches.ReadMasterBench,
        replaced(r"end else if \(bus__arready\) begin", "end else begin"),
        "AR steady",
    ),
    "B falls without BREADY": (
        benches.RegisterFileBench,
        replaced(r"end else if \(bus__bready\) begin", "end else begin"),
        "B steady",
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_judge_notices(name: str) -> None:
    part, mutation, rule = MUTATIONS[name]
    bench = part()
    assert rule in search(bench, cycles=MUTATION_CYCLES, mutation=mutation).broken
