"""How near each layer of modern networks comes to its bound, and what holds back those that stay below half of it.

    python -m tests.bench.utilisation [--csv layers.csv] [--networks resnet50,mobilenet_v2]
    python -m tests.bench.utilisation --depthwise | --mobile

The onnx package's topologies and MobileNetV2, with seeded weights, and the MobileNetV3 of a package of the Python
package index, quantised by the product's own quantiser and timed on the default accelerator with tables and addends.
Prints the table of docs/utilisation.md; the CSV file has a line for each layer. With --depthwise it prints the table of
single depthwise layers there, with --mobile that of MobileNets by direct convolution and as compiled.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import itertools
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from imported_graphs import imported, quantised_on
from light_networks import NAMES, light_network
from mobile_networks import mobilenet_v2

from tests.bench.public_models import PUBLISHED, brought, photograph
from wingrid.host.compiler.algorithms import TILES
from wingrid.host.compiler.blocking import Blocking
from wingrid.host.compiler.compile_layer import compile_layer
from wingrid.host.compiler.unfolding import Unfolding
from wingrid.host.execution.layer_result import LayerResult
from wingrid.host.execution.layer_times import play, time_layers
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.layer import Convolution, Layer
from wingrid.host.onnx_models.graph import ImportedGraph
from wingrid.host.onnx_models.model_file import read_model
from wingrid.host.reports.roofline import attainable, gain
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.cache import cache_directory
from wingrid.sim.memory import MemoryTiming

SHIPPED = Path(__file__).parents[2] / "configs" / "default.toml"
MOBILE = ("mobilenet_v2", "PP-OCR cls")
HALF = 0.5
CAUSES = ("lanes", "edges", "weights", "memory", "start")


@dataclass(frozen=True)
class Looked:
    """A layer, how near it comes to its bound, and which factor of the rest is the smallest."""

    name: str
    kind: str
    algorithm: str
    cycles: int
    macs_per_multiplier: float
    of_bound: float
    factors: dict[str, float]

    @property
    def cause(self) -> str | None:
        """What holds it back, ``None`` from half of its bound on."""
        return None if self.of_bound >= HALF else min(self.factors, key=lambda name: self.factors[name])

    @classmethod
    def at(cls, result: LayerResult, setup: Setup) -> Looked:
        """``factors`` are those by which multipliers fall short of what they could do.

        lanes: of the channel blocks' rows and columns, those in use; edges: of the multiplications, those for outputs
        of the image and taps of the kernel; weights: of the cycles in which vectors enter the mesh or it waits for
        weights, those of vectors; memory: what the mesh works less than the bus; start: what is left, the cycles at
        both ends of a layer, between its groups, and of its stores.
        """
        layer, measured, activity, algorithm = result.layer, result.measurement, result.activity, result.algorithm
        assert measured is not None, "it was timed"
        assert activity is not None
        assert algorithm is not None
        config, shape = setup.config, layer.shape
        blocking = Blocking.of(Unfolding(shape, result.unfolded).unfolded if result.unfolded else shape, config)
        outputs = shape.images * shape.out_height * shape.out_width
        # All taps of whole blocks, one by one.
        whole = blocking.taps * outputs * config.multipliers
        used = measured.busy * config.multipliers * gain(TILES.get(algorithm, 0))
        mesh = max(measured.busy, activity.weight_tiles * config.rows)
        bus = min(1.0, measured.dram_bytes / config.bus_bytes / measured.cycles)
        factors = {
            "lanes": min(1.0, shape.macs / whole),
            "edges": min(1.0, whole / used),
            "weights": measured.busy / mesh,
            "memory": min(1.0, mesh / measured.cycles / bus),
        }
        factors["start"] = min(1.0, mesh / measured.cycles / factors["memory"])
        rate = shape.macs / measured.cycles
        limit = attainable(shape.macs / measured.dram_bytes, TILES.get(algorithm), config, setup.timing)
        kind = "depthwise" if shape.groups > 1 else "x".join(map(str, shape.kernel))
        return cls(
            layer.name, layer.operator if layer.operator != "conv" else kind, algorithm, measured.cycles,
            rate / config.multipliers, rate / limit, factors,
        )  # fmt: skip


def networks(names: Iterable[str]) -> Iterator[tuple[str, ImportedGraph]]:
    """Each network as the accelerator takes it."""
    config = machine().config
    for name in names:
        x = np.random.default_rng(1).normal(0, 1, (1, 3, 224, 224)).astype(np.float32)
        model: onnx.ModelProto | object
        if name == "PP-OCR cls":
            published, path = next(brought(cache_directory() / "public_models", [name]))
            x, model = photograph(published.shape), read_model(path)
        else:
            model = mobilenet_v2() if name == "mobilenet_v2" else light_network(name)
        yield name, imported(quantised_on(model, x).proto, x, config=config)


def machine() -> Setup:
    """The default accelerator with tables and addends."""
    config = dataclasses.replace(AcceleratorConfig.load(SHIPPED), tables=8, addends=1024)
    return Setup("timing", config, MemoryTiming.for_bus(config.bus_bytes))


def looked_at(graph: ImportedGraph, setup: Setup) -> list[Looked]:
    """All layers of a network."""
    timed = time_layers([(step.layer, partial(getattr, step, "operands")) for step in graph.accelerated], setup)
    return [Looked.at(result, setup) for result in timed]


def line(name: str, layers: list[Looked]) -> str:
    """A line of the table."""
    total = sum(layer.cycles for layer in layers)

    def cell(cause: str | None) -> str:
        chosen = [layer for layer in layers if layer.cause == cause]
        share = sum(layer.cycles for layer in chosen) / total
        return f"{len(chosen)}: {100 * share:.1f}%" if chosen else "-"

    cells = (name, f"{total:,}", *map(cell, (None, *CAUSES)))
    return f"| {' | '.join(cells)} |"


def depthwise_lines() -> Iterator[str]:
    """The table of depthwise layers of 192 channels: multiply-adds per multiplier and cycle, direct and as compiled.

    On the default accelerator as it is.
    """
    config, timing = AcceleratorConfig.load(SHIPPED), machine().timing
    sizes = (112, 56, 28, 14, 7)
    yield f"| Kernel, stride | {' | '.join(f'{size}x{size}' for size in sizes)} |"
    yield f"| --- | {' | '.join('---' for _ in sizes)} |"
    for stride, kernel in itertools.product((1, 2), (3, 5, 7)):
        cells = []
        for size in sizes:
            shape = Convolution(
                192, size, size, 192, (kernel, kernel), (stride, stride), (kernel // 2,) * 4, groups=192
            )
            layer, rates = Layer("layer", "conv", shape), []
            for tiles in ((0,), (0, *config.tiles)):
                compiled = compile_layer(layer, config, tiles=tiles)
                cycles = play(compiled, compiled.program, timing).cycles
                rates.append(shape.macs / cycles / config.multipliers)
            tile = compiled.plan.blocking.tile
            cells.append(f"{rates[0]:.3f}, {rates[1]:.3f} F({tile}x{tile})" if tile else f"{rates[0]:.3f}")
        yield f"| {kernel}x{kernel}, {stride} | {' | '.join(cells)} |"


def mobile_lines() -> Iterator[str]:
    """The table of MobileNets: cycles by kinds of layers, by direct convolution and as compiled."""
    yield "| Network | algorithm | depthwise layers | averages | other layers | all |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, graph in networks(MOBILE):
        for algorithm in ("direct", None):
            cycles = Counter[str]()
            for layer in looked_at(graph, dataclasses.replace(machine(), algorithm=algorithm)):
                cycles[layer.kind if layer.kind in ("depthwise", "avgpool") else "other"] += layer.cycles
            sums = [cycles[kind] for kind in ("depthwise", "avgpool", "other")]
            cells = (name, algorithm or "any", *(f"{count:,}" for count in (*sums, sum(sums))))
            yield f"| {' | '.join(cells)} |"


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--networks", default=",".join([*NAMES, *MOBILE]))
    parser.add_argument("--depthwise", action="store_true")
    parser.add_argument("--mobile", action="store_true")
    options = parser.parse_args()
    if options.depthwise:
        print(*depthwise_lines(), sep="\n")
        return 0
    if options.mobile:
        print(*mobile_lines(), sep="\n")
        return 0
    assert {published.name for published in PUBLISHED} >= {MOBILE[1]}
    print(f"| Network | cycles | half of the bound or more | {' | '.join(CAUSES)} |")
    print(f"| --- | --- | --- | {' | '.join('---' for _ in CAUSES)} |")
    rows = []
    for name, graph in networks(options.networks.split(",")):
        layers = looked_at(graph, machine())
        print(line(name, layers), flush=True)
        rows += [
            {
                "network": name,
                "layer": layer.name,
                "kind": layer.kind,
                "algorithm": layer.algorithm,
                "cycles": layer.cycles,
                "macs_per_multiplier_cycle": round(layer.macs_per_multiplier, 4),
                "of_bound": round(layer.of_bound, 3),
                "cause": layer.cause or "",
                **{factor: round(value, 3) for factor, value in layer.factors.items()},
            }
            for layer in layers
        ]
    if options.csv and rows:
        with options.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
