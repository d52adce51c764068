"""Random programs on the RTL and in the timing model, which have to take equally long.

Cases differ in layers, algorithms, plans and memory, on a handful of accelerators that are built once. All counters and
events of each are compared. Exit status 1 if one differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from timing_cases import ALL_CONFIGS, DataFault, free_case, timing_case

from wingrid.host.crews.cluster import HERE, crew_of
from wingrid.host.crews.crew import Crew

Case = tuple[int, str | None]
"""A seed, and the only accelerator to run on."""


def compared(case: Case) -> str | None:
    """How RTL and model differ, empty if they do not; ``None`` for a seed that makes no program."""
    seed, config = case
    # Every third program is a free one.
    made = (free_case if seed % 3 == 2 else timing_case)(seed, config)
    try:
        text = made.run()
    except DataFault:
        return None
    if text is None:
        return ""
    return f"{made.name}, {made.timing}, base {made.base:#x}, {len(made.instructions)} instructions: {text}"


def _results(crew: Crew[Case, str | None], options: argparse.Namespace) -> Iterator[tuple[int, str | None]]:
    """Seeds and verdicts as they come, with no more cases under way than keep everybody busy."""
    under_way = 0
    for seed in range(options.first, options.first + options.cases):
        crew.submit((seed, options.config))
        under_way += 1
        if under_way >= 2 * crew.capacity:
            (done, _), verdict = crew.next()
            under_way -= 1
            yield done, verdict
    for _ in range(under_way):
        (done, _), verdict = crew.next()
        yield done, verdict


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first case")
    parser.add_argument("--config", choices=list(ALL_CONFIGS), help="only on this accelerator")
    parser.add_argument("--scheduler", default=HERE, help="here, local, or that of a Dask cluster")
    options = parser.parse_args()
    began = time.perf_counter()
    equal, skipped, different = 0, 0, []
    with crew_of(options.scheduler, compared) as crew:
        for number, (seed, verdict) in enumerate(_results(crew, options), 1):
            if verdict is None:
                skipped += 1
            elif not verdict:
                equal += 1
            else:
                different.append(seed)
                print(f"seed {seed}, {verdict}", flush=True)
            if number % 100 == 0:
                print(f"{number} cases: {equal} equal, {len(different)} different, {skipped} no programs, "
                      f"{time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip
    ran = equal + len(different)
    print(f"{equal} of {ran} cases equal, seeds from {options.first}; {skipped} skipped for bank conflicts")
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main())
