"""Random programs on the RTL and in the timing model, which have to take equally long.

Cases differ in layers, algorithms, plans and memory, on a handful of accelerators that are built once. All counters and
events of each are compared. Exit status 1 if one differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from timing_cases import ALL_CONFIGS, DataFault, free_case, timing_case


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first case")
    parser.add_argument("--config", choices=list(ALL_CONFIGS), help="only on this accelerator")
    options = parser.parse_args()
    began = time.perf_counter()
    equal, skipped, different = 0, 0, []
    for seed in range(options.first, options.first + options.cases):
        # Every third program is a free one.
        case = (free_case if seed % 3 == 2 else timing_case)(seed, options.config)
        try:
            text = case.run()
        except DataFault:
            skipped += 1
            continue
        if text is None:
            equal += 1
        else:
            different.append(seed)
            print(
                f"seed {seed}, {case.name}, {case.timing}, base {case.base:#x}, {len(case.instructions)} instructions: "
                f"{text}",
                flush=True,
            )
        if (seed + 1 - options.first) % 100 == 0:
            print(f"up to seed {seed}: {equal} equal, {len(different)} different, {skipped} no programs, "
                  f"{time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip
    ran = equal + len(different)
    print(f"{equal} of {ran} cases equal, seeds from {options.first}; {skipped} skipped for bank conflicts")
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main())
