"""Some rounds of the hostile partner on both arrays, and that it notices a machine that breaks a rule."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from hostile_partner import CONFIGS, HostilePartner

from wingrid.hw import verilog

pytestmark = pytest.mark.rtl

ROUNDS = 40


@pytest.mark.parametrize("name", CONFIGS)
def test_no_wrong_result_no_hang_no_broken_rule(name: str) -> None:
    machine = HostilePartner(CONFIGS[name])
    for seed in range(ROUNDS):
        assert machine.round(seed) is None, f"round {seed}"
    totals = machine.totals
    print(f"{name}: {totals}")
    assert totals.finished == ROUNDS
    assert min(totals.errors, totals.resets_running, totals.faults) > 0, "it is hostile"
    assert totals.accesses > 1000
    machine.close()


def test_the_judge_notices_a_wrong_wlast() -> None:
    text = verilog.generate(CONFIGS["2x3"])
    broken, count = re.subn(r"^(  assign \\\$\d+ += remaining == )2'h2;", r"\g<1>2'h3;", text, flags=re.M)
    assert count == 1
    machine = HostilePartner(CONFIGS["2x3"], text=broken)
    problems = [machine.round(seed) for seed in range(3)]
    # A burst of one beat, whose last one is not told, looks like one that goes on.
    assert all(problem and ("WLAST" in problem or "more beats than AWLEN says" in problem) for problem in problems)
