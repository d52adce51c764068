"""Random layers with compressed weights on the RTL: golden's results, in the timing model's time.

Weights of all densities and spreads, lanes from 1 to 8 of two columns or four, both transforms, all sorts of memory.
Exit status 1 if one differs.

    python -m tests.bench.coded_layers --cases 100 --config 2x2 --set rows=8 --set cols=8 --set decoders=4 \\
        --set weight_buffer=200
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np
from coded_layers import CONFIGS, random_coded_layer

from wingrid.host.execution.driver import run_on_rtl
from wingrid.host.execution.layer_run import timing_difference
from wingrid.host.networks.golden import golden
from wingrid.sim.memory import MemoryTiming


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="seed of the first case")
    parser.add_argument("--config", choices=list(CONFIGS), help="only on this accelerator")
    parser.add_argument("--set", dest="fields", action="append", default=[], metavar="FIELD=VALUE", help="of each")
    options = parser.parse_args()
    began, different = time.perf_counter(), 0
    for seed in range(options.first, options.first + options.cases):
        random = np.random.default_rng([seed, 3])
        name = options.config or str(random.choice(list(CONFIGS)))
        config = CONFIGS[name].override(options.fields)
        # Several blocks along both sides of a larger array.
        most = 2 * max(config.rows, config.cols) + 2 if options.fields else 9
        planned, operands, x = random_coded_layer(random, config, most)
        compiled = planned.compiled()
        timing = MemoryTiming(int(random.integers(1, 100)), int(random.integers(1, config.bus_bytes + 1)))
        run = run_on_rtl(compiled, operands, x, timing=timing, seed=seed + 1)
        exact = np.array_equal(run.output, golden(planned.layer, operands, x))
        difference = timing_difference(compiled, compiled.program, timing, run.counters, run.events)
        if not exact or difference:
            different += 1
            print(f"seed {seed}, {name}, {timing}, {planned.layer}: exact {exact}, {difference}", flush=True)
        if (seed + 1 - options.first) % 100 == 0:
            took = time.perf_counter() - began
            print(f"up to seed {seed}: {different} different, {took:.0f} s", flush=True)
    print(f"{options.cases - different} of {options.cases} layers equal, seeds from {options.first}")
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main())
