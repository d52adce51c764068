"""Area and clock of the arrays that people build, beside what is aimed at.

    python -m tests.bench.silicon [--seeds 3] [--no-route]

Each is synthesised by yosys, and routed by nextpnr on an ECP5-85F at speed grades 6 and 8; hours on two cores. What was
done before comes from the cache.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from wingrid.host.silicon.area import share
from wingrid.host.silicon.synth import synthesised
from wingrid.host.silicon.synth_result import SynthResult
from wingrid.host.silicon.target import find_target
from wingrid.hw.config import AcceleratorConfig

CLOCKS = (
    (AcceleratorConfig(rows=4, cols=4, winograd=4), {"ecp5-85k-6": 100, "ecp5-85k-8": 125}),
    (AcceleratorConfig(rows=8, cols=8, winograd=4), {"ecp5-85k-6": 100, "ecp5-85k-8": 125}),
    (AcceleratorConfig(rows=8, cols=8, winograd=0), {"ecp5-85k-6": 110, "ecp5-85k-8": 140}),
)
"""Configurations with the MHz that are aimed at."""

LUT4_OF_8X8, LOGIC_OF_8X8 = 18_000, 0.42
"""With F(4x4) on an ECP5-85F."""
LUT_OF_16X16 = 34_000
"""With F(4x4) on 7-series, those that are memories included."""


def name(config: AcceleratorConfig) -> str:
    return f"{config.rows}x{config.cols} {f'F({config.winograd}x{config.winograd})' if config.winograd else 'direct'}"


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def areas() -> Iterator[str]:
    """Lines of the table about area."""
    chip = find_target("ecp5-85k-6")
    result = synthesised(CLOCKS[1][0], chip, says=say)
    whole = result.total
    yield f"| {name(result.config)} on ECP5 | LUT4 | {whole.counts['logic']:,.0f} | {LUT4_OF_8X8:,} |"
    logic = share(whole, chip, result.family)["logic"]
    yield f"| {name(result.config)} on ECP5-85F | logic | {logic:.1%} | {LOGIC_OF_8X8:.0%} |"
    large = synthesised(AcceleratorConfig(), find_target("xc7a200t-1"), says=say)
    yield f"| {name(large.config)} on 7-series | LUT | {large.total.logic(large.family):,.0f} | {LUT_OF_16X16:,} |"


def clocks(seeds: int) -> Iterator[str]:
    """Lines of the table about clocks: of seed 1, and the median."""
    for config, wanted in CLOCKS:
        for target, mhz in wanted.items():
            result: SynthResult = synthesised(config, find_target(target), seeds=range(1, seeds + 1), says=say)
            found = f"{result.routes[0].mhz:g}, {result.mhz:g}"
            yield f"| {name(config)} on {target} | MHz, seed 1 and median of {seeds} | {found} | {mhz} |"


def main() -> int:
    """Returns the exit status, which is 0 whatever is reached."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--no-route", action="store_true")
    options = parser.parse_args()
    print("| What | Unit | Found | Aim |\n| --- | --- | --- | --- |")
    for line in areas():
        print(line, flush=True)
    for line in clocks(options.seeds) if not options.no_route else ():
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
