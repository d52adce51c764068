"""The whole machine with arbitrary instructions and responses, for its first cycles. Exit status 1 if a rule breaks.

python -m tests.judges.formal.whole_machine --cycles 45 [--set sparse=1]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

from benches.core import CoreBench
from prove import search
from small_configurations import SMALL


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=45)
    parser.add_argument("--seconds", type=int, default=4 * 3600, help="after which the search gives up")
    parser.add_argument("--set", dest="fields", action="append", default=[], metavar="FIELD=VALUE")
    options = parser.parse_args()
    bench = CoreBench(SMALL.override(options.fields))
    verdict = search(bench, cycles=options.cycles, seconds=options.seconds)
    broken = sorted(verdict.broken)
    unseen = sorted(set(bench.witnesses) - verdict.seen)
    for name in broken:
        print(f"broken: {name}: {bench.rules[name]}")
    for name in unseen:
        print(f"never seen: {name}: {bench.witnesses[name]}")
    if not verdict.decided:
        print(f"the search ended before cycle {options.cycles}")
    held = len(bench.rules) - len(broken)
    print(f"{held} of {len(bench.rules)} rules hold for {options.cycles} cycles, in {verdict.seconds:.0f} s")
    return 1 if broken or unseen or not verdict.decided else 0


if __name__ == "__main__":
    raise SystemExit(main())
