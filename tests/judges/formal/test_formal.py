"""What is proved: unbounded for the parts, bounded for the whole machine; and that the judge notices broken designs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from benches.burst_address import BurstAddressBench
from benches.bursts import BurstsBench
from benches.combination import CombinationBench
from benches.fetch import FetchBench
from benches.load import LoadBench
from benches.output_buffer import OutputBufferBench
from benches.pooler import PoolerBench
from benches.read_master import ReadMasterBench
from benches.register_file import RegisterFileBench
from benches.register_slice import RegisterSliceBench
from benches.row_collector import RowCollectorBench
from benches.sparse_lane import SparseLaneBench
from benches.sparse_unit import SparseUnitBench
from benches.table_lookup import TableLookupBench
from benches.weight_decoder import WeightDecoderBench
from benches.write_address import WriteAddressBench
from benches.write_master import WriteMasterBench
from prove import Mutation, Verdict, interpolate, prove, prove_apart, search
from rules import Bench

pytestmark = pytest.mark.slow

PARTS = {
    WriteMasterBench: prove,
    ReadMasterBench: prove,
    RegisterFileBench: prove,
    RegisterSliceBench: prove,
    FetchBench: prove,
    OutputBufferBench: prove,
    LoadBench: prove,
    RowCollectorBench: prove,
    SparseLaneBench: prove,
    SparseUnitBench: prove,
    WeightDecoderBench: prove,
    TableLookupBench: prove_apart,
    CombinationBench: prove_apart,
    PoolerBench: prove_apart,
    BurstsBench: interpolate,
}
"""By what each is proved."""
MUTATION_CYCLES = 20
SOON = {SparseLaneBench: 8, SparseUnitBench: 10}
"""Cycles of parts that are dear to search, and whose rules break early."""
FULL_WINDOW_CYCLES = 26
"""Enough for a lane's window to be filled and left."""
ADDRESS_CYCLES = 10
"""Enough for a request to fill each place of the queue and leave it for AW, and for the third burst of runs; queues and
sums are dear to prove."""


def judge(bench: Bench, verdict: Verdict) -> None:
    """Every rule holds, and every witness was seen: the rules are about something."""
    print(f"{type(bench).__name__}: {len(bench.rules)} rules, {verdict.seconds:.1f} s")
    assert verdict.decided, verdict.log
    assert not verdict.broken, verdict.log
    assert verdict.seen == frozenset(bench.witnesses), verdict.log


@pytest.mark.parametrize("part", PARTS)
def test_the_rules_of_a_part_hold_for_ever(part: type[Bench]) -> None:
    bench = part()
    judge(bench, PARTS[part](bench))


@pytest.mark.parametrize("part", [BurstAddressBench, WriteAddressBench])
def test_addresses_hold_for_the_first_cycles(part: type[Bench]) -> None:
    bench = part()
    judge(bench, search(bench, cycles=ADDRESS_CYCLES))


def replaced(pattern: str, instead: str) -> Mutation:
    return lambda text: re.sub(pattern, instead, text, flags=re.MULTILINE)


MUTATIONS: dict[str, tuple[type[Bench], Mutation, str]] = {
    "AWLEN of one too many": (
        WriteMasterBench,
        replaced(r"^(  assign \\\$\d+ += beats - )1'h1;", r"\g<1>1'h0;"),
        "WLAST position",
    ),
    "every beat is final to both": (
        ReadMasterBench,
        replaced(r"^(    \\final  <= ).*;", r"\g<1>2'h3;"),
        "final",
    ),
    "AR falls without ARREADY": (
        ReadMasterBench,
        replaced(r"end else if \(bus__arready\) begin", "end else begin"),
        "AR steady",
    ),
    "fetches that are not relocated": (
        FetchBench,
        replaced(r"^(  assign \\\$\d+ += )base\[35:12\] \+ ", r"\g<1>24'd0 + "),
        "address",
    ),
    "bursts that are not relocated": (
        BurstAddressBench,
        replaced(r"^(  assign \\\$\d+ += )base\[35:12\] \+ ", r"\g<1>24'd0 + "),
        "address",
    ),
    "reads from another page": (
        ReadMasterBench,
        replaced(r"^(    bus__araddr <= )(.*);", r"\g<1>\g<2> ^ 36'h1000;"),
        "address",
    ),
    "writes at another one's address": (
        WriteAddressBench,
        replaced(r"^(    bus__awaddr <= ).*;", r"\g<1>request__payload[35:0];"),
        "address",
    ),
    "beats that lie apart all at one address": (
        WriteAddressBench,
        replaced(r"^(  assign \\\$\d+ += bus__awaddr \+ ).*;", r"\g<1>1'h0;"),
        "address",
    ),
    "B falls without BREADY": (
        RegisterFileBench,
        replaced(r"end else if \(bus__bready\) begin", "end else begin"),
        "B steady",
    ),
    "a fence that holds nothing up": (
        FetchBench,
        replaced(r"^(  assign \\\$\d+ += )~ stored;", r"\g<1>1'h0;"),
        "fences hold",
    ),
    "the skid register is overwritten": (
        RegisterSliceBench,
        replaced(r"^(  assign input__ready = ).*;", r"\g<1>1'h1;"),
        "nothing is lost",
    ),
    "a run starts where no beat does": (
        BurstsBench,
        replaced(r"^(  assign \\\$\d+ += next_run \+ )pitch;", r"\g<1>beats;"),
        "aligned",
    ),
    "bursts do not end with their run": (
        BurstsBench,
        replaced(r"^(  assign \S+ += )left <= 4'h8;", r"\g<1>runs <= 4'h8;"),
        "length",
    ),
    "rows beyond those of a run": (
        RowCollectorBench,
        replaced(r"^(  assign \\\$\d+ += )\| current\[5:3\];", r"\g<1>1'h1;"),
        "whole",
    ),
    "all rows go to one accumulator": (
        RowCollectorBench,
        replaced(r"^(  assign \\\$\d+ += current\[2:1\] \+ )1'h1;", r"\g<1>1'h0;"),
        "place",
    ),
    "gaps that lead back": (
        SparseLaneBench,
        replaced(r"^(  assign \\\$\d+ += address )\+ distance;", r"\g<1>- distance;"),
        "position",
    ),
    "an EXECUTE that leaves out an entry": (
        SparseUnitBench,
        replaced(r"^(  assign \\\$\d+ += current\[39:24\] == )2'h2;", r"\g<1>2'h3;"),
        "entries",
    ),
    "decoders that wait for words": (
        WeightDecoderBench,
        replaced(r"^(  assign \\\$\d+ += )works & decodes;", r"\g<1>works & decodes & read_enable;"),
        "rate",
    ),
    "a lookup that reset does not end": (
        TableLookupBench,
        replaced(r"(= \{ valid\[1:0\], \\input \[0\] \};\n    if \()rst\b", r"\g<1>1'h0"),
        "when",
    ),
    "a combination that reset does not end": (
        CombinationBench,
        replaced(r"(= \{ valid\[6:0\], \\input \[0\] \};\n    if \()rst\b", r"\g<1>1'h0"),
        "when",
    ),
    "a window that reset leaves begun": (
        PoolerBench,
        replaced(r"(= x;(?:\n.*){6}\n    if \()rst\b", r"\g<1>1'h0"),
        "whole",
    ),
    "bursts do not end with their page": (
        BurstsBench,
        replaced(r"^(    most <= )\\\$\d+ ;", r"\g<1>4'd8;"),
        "page",
    ),
}

MORE_MUTATIONS: dict[str, tuple[type[Bench], Mutation, str]] = {
    "a late WLAST": (
        WriteMasterBench,
        replaced(r"^(  assign \\\$\d+ += remaining == )2'h2;", r"\g<1>2'h3;"),
        "WLAST position",
    ),
    "the first table in place of the second": (
        TableLookupBench,
        replaced(r"^(    \.\\port\$\d+\$\d+ \()number\),", r"\g<1>1'h0),"),
        "looked up",
    ),
    "results that pass too early": (
        TableLookupBench,
        replaced(r"^(  assign \S+ += looks_up \? .* : passed_)2", r"\g<1>1"),
        "passes",
    ),
    "a gate of each result's own": (
        CombinationBench,
        replaced(r"^(  assign \\\$\d+ += )read_enable & \\\$\d+ ;", r"\g<1>read_enable;"),
        "in order",
    ),
    "results that pass are scaled": (
        CombinationBench,
        replaced(r"25'h0400000 : 25'h0000000", "25'h0200000 : 25'h0000000"),
        "passes",
    ),
    "the line above is left out": (
        PoolerBench,
        replaced(r"^(  assign \\\$\d+ += tiled \? )\\\$\d+ +(: running;)", r"\g<1>pair \g<2>"),
        "largest",
    ),
    "results that pass meet the line above": (
        PoolerBench,
        replaced(r"^(  assign \\\$\d+ += )tiled( \? \\\$\d+ +: running;)", r"\g<1>1'h1\g<2>"),
        "passes",
    ),
}
"""Of parts of which one is in the others."""


@pytest.mark.parametrize("name", [*MUTATIONS, *(pytest.param(name, marks=pytest.mark.long) for name in MORE_MUTATIONS)])
def test_the_judge_notices(name: str) -> None:
    part, mutation, rule = (MUTATIONS | MORE_MUTATIONS)[name]
    cycles = SOON.get(part, MUTATION_CYCLES)
    assert rule in search(part(), cycles=cycles, mutation=mutation, rule=rule).broken


@pytest.mark.long
def test_the_judge_notices_a_window_with_room_for_one_more() -> None:
    mutation = replaced(r"^(  assign \\\$\d+ +=.*) >= 5'h10;", r"\g<1> > 5'h10;")
    found = search(SparseLaneBench(), cycles=FULL_WINDOW_CYCLES, mutation=mutation, rule="overflow")
    assert "overflow" in found.broken


def test_interpolation_proves_no_broken_design() -> None:
    for part, mutation, _ in MUTATIONS.values():
        if PARTS.get(part) is interpolate:
            assert not interpolate(part(), mutation=mutation).decided


def test_rules_that_are_proved_apart_are_all_proved() -> None:
    part, mutation, _ = MUTATIONS["a window that reset leaves begun"]
    assert not prove_apart(part(), mutation=mutation).decided
