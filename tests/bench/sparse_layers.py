"""Random sparse layers on the RTL: golden's results, in the timing model's time.

Densities from 0 to 100 %, empty rows and columns, all formats, lanes from 2 to 32, all sorts of memory, batches. Exit
status 1 if one differs.

    python -m tests.bench.sparse_layers --cases 200 --set rows=8 --set cols=8 --set bus_bytes=32
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import numpy as np
from sparse_layers import CONFIGS, compile_sparse, random_sparse_layer

from wingrid.host.execution.driver import run_on_rtl
from wingrid.host.execution.layer_run import timing_difference
from wingrid.host.networks.golden import golden
from wingrid.hw.isa import SPARSE_FORMATS
from wingrid.sim.memory import MemoryTiming


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first case")
    parser.add_argument("--config", choices=list(CONFIGS), help="only on this accelerator")
    parser.add_argument("--set", dest="fields", action="append", default=[], metavar="FIELD=VALUE", help="of each")
    options = parser.parse_args()
    began, different = time.perf_counter(), 0
    for seed in range(options.first, options.first + options.cases):
        random = np.random.default_rng([seed, 9])
        name = options.config or str(random.choice(list(CONFIGS)))
        config, form = CONFIGS[name].override(options.fields), SPARSE_FORMATS[seed % len(SPARSE_FORMATS)]
        scale = max(1, config.rows // 8) if options.fields else 1
        layer, operands, x = random_sparse_layer(random, config, form, scale)
        compiled = compile_sparse(layer, operands, config, form)
        timing = MemoryTiming(int(random.integers(1, 100)), int(random.integers(1, config.bus_bytes + 1)))
        run = run_on_rtl(compiled, operands, x, timing=timing, seed=seed + 1)
        exact = np.array_equal(run.output, golden(layer, operands, x))
        difference = timing_difference(compiled, compiled.program, timing, run.counters, run.events)
        if not exact or difference:
            different += 1
            print(f"seed {seed}, {name}, {form.name}, {timing}, {layer}: exact {exact}, {difference}", flush=True)
        if (seed + 1 - options.first) % 100 == 0:
            took = time.perf_counter() - began
            print(f"up to seed {seed}: {different} different, {took:.0f} s", flush=True)
    print(f"{options.cases - different} of {options.cases} layers equal, seeds from {options.first}")
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main())
