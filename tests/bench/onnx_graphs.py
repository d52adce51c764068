"""Imported models against ONNX Runtime at length: random graphs in all forms, and published topologies.

    python -m tests.bench.onnx_graphs --graphs 180 --seed 1000

Every layer's tensor and every output is compared, bit by bit, with the golden model in the accelerator's place. The
random graphs come twice, the second time with functions of one byte behind their layers, on an accelerator with tables
and addends. Exit status 1 if one differs.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import onnx

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from imported_graphs import CONFIG, WITH_UNITS, by_name, differences, imported, quantised_on
from light_networks import NAMES, light_network
from random_graphs import judged_case

from wingrid.host.onnx_models.graph import ImportedGraph
from wingrid.host.onnx_models.graph_walk import golden_outputs, onnxruntime_outputs


def random_cases(count: int, seed: int, *, functions: bool) -> Iterator[tuple[str, onnx.ModelProto, np.ndarray, bool]]:
    """Name, quantised model, input, and whether ONNX Runtime is to use int8 kernels throughout."""
    for number in range(seed, seed + count):
        model, x, name = judged_case(number, functions=functions)
        shown = f"{name}, functions" if functions else name
        yield f"{shown} (seed {number})", model, x, "branches qdq-s8s8" in name


def published_cases() -> Iterator[tuple[str, onnx.ModelProto, np.ndarray, bool]]:
    """The same for the onnx package's topologies at 224x224."""
    for name in NAMES:
        x = np.random.default_rng(1).normal(0, 1, (1, 3, 224, 224)).astype(np.float32)
        yield name, quantised_on(light_network(name), x).proto, x, False


def steps_apart(graph: ImportedGraph, x: np.ndarray) -> np.ndarray:
    """Outputs that ONNX Runtime gives otherwise if it is left to compute int8 that branches in float32; and all."""
    inputs = by_name(graph.inputs, x)
    outputs = golden_outputs(graph, inputs)
    by_default = onnxruntime_outputs(dataclasses.replace(graph, int8_kernels=False), inputs)
    different = [outputs[name] != value for name, value in by_default.items()]
    return np.array([sum(int(wrong.sum()) for wrong in different), sum(wrong.size for wrong in different)])


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--graphs", type=int, default=180)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--no-topologies", action="store_true", help="random graphs only")
    options = parser.parse_args()
    started, failed = time.monotonic(), 0
    layers: Counter[str] = Counter()
    tables: Counter[str] = Counter()
    combinations: Counter[str] = Counter()
    apart = np.zeros(2, np.int64)
    graphs: Counter[str] = Counter()
    plain, functions = (random_cases(options.graphs, options.seed, functions=kind) for kind in (False, True))
    for name, model, x, int8_kernels in chain(plain, functions):
        with_functions = "functions" in name
        graph = imported(model, x, int8_kernels=int8_kernels, config=WITH_UNITS if with_functions else CONFIG)
        kind = name.partition(" (")[0]
        graphs[kind] += 1
        layers[kind] += len(graph.accelerated)
        tables[kind] += sum(layer.lookup is not None for layer in graph.layers)
        combinations[kind] += sum(layer.combination is not None for layer in graph.layers)
        found = differences(graph, x)
        failed += bool(found)
        for line in found:
            print(f"{name}: {line}")
        if int8_kernels and not with_functions:
            apart += steps_apart(graph, x)
    for kind, count in sorted(graphs.items()):
        print(
            f"{kind}: {count} graphs, {layers[kind]} layers on the accelerator, {tables[kind]} with tables, "
            f"{combinations[kind]} combine"
        )
    print(f"int8 kernels against ONNX Runtime's default here: {apart[0]} of {apart[1]} outputs differ")
    if not options.no_topologies:
        for name, model, x, _ in published_cases():
            graph = imported(model, x, config=WITH_UNITS)
            found = differences(graph, x)
            failed += bool(found)
            print(
                f"{name}: {len(graph.accelerated)} layers on the accelerator; {'; '.join(found) or 'equal'}", flush=True
            )
    print(f"{failed} models differ ({time.monotonic() - started:.0f} s, random graphs from seed {options.seed})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
