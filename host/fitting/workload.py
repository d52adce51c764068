"""A network as its image will run it: what a search times on one accelerator after the other."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from wingrid.host.compiler.sparse_streams import SparseShape
from wingrid.host.crews.parcel import Parcel
from wingrid.host.execution.layer_times import time_layers
from wingrid.host.execution.listener import Listener, Silence
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.network_time import time_network
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.built_in import ONNX_BUILT_IN, find, is_onnx, require_no_shapes
from wingrid.host.networks.layer import Layer, Operands
from wingrid.host.onnx_models.graph import AcceleratedStep, ImportedGraph
from wingrid.host.onnx_models.model_estimate import imported_for_estimate
from wingrid.host.onnx_models.model_file import model_contents
from wingrid.host.onnx_models.model_run import images_in, model_path, placement_of, weights_of
from wingrid.host.onnx_models.sizes import Sizes
from wingrid.host.reports.report import Report
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.timing import build

TABLES = 8
"""As many as a block RAM of 2 KiB holds, of the most usual kind."""

ADDENDS = 1024
"""Two groups of half as many pixels: with fewer accumulators than that none is cut for what is added."""


LANES_SAVE = 0.05
"""Of a network's cycles, at least, where it gets sparse lanes: they take more than that of a small accelerator."""


@dataclass(frozen=True)
class Workload:
    """A built-in network, or the ONNX model of a file, for a batch of images: fully connected layers of a model take
    images as they lie.
    """

    network: str
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Of a model's inputs, by name."""
    int8_kernels: bool = True
    images: int | None = None
    """In the batch; ``None`` for one, or as many as the model says itself."""

    def require(self) -> None:
        """Raise ``UserError`` for a network that there is not, and for shapes of a built-in one."""
        if is_onnx(self.network):
            self._graph(AcceleratorConfig(tables=TABLES))
        else:
            require_no_shapes(self.network, self.shapes)
            find(self.network)

    def layers(self, config: AcceleratorConfig) -> list[Layer]:
        """Those that the accelerator computes."""
        if is_onnx(self.network):
            return [step.layer for step in self._graph(config).accelerated]
        return find(self.network).layers(self.images or 1)

    def time(self, setup: Setup, listener: Listener | None = None) -> NetworkResult:
        """What it takes by the timing model, layer by layer. Raises ``LayerError`` where it cannot run."""
        hears: Listener = listener or Silence()
        if not is_onnx(self.network):
            return time_network(find(self.network), setup, None, self.images or 1, hears)
        graph = self._graph(setup.config)
        build.library(hears.building)
        started = time.perf_counter()
        steps = graph.accelerated
        layers = time_layers([(step.layer, functools.partial(_operands, step)) for step in steps], setup, hears)
        seconds, weights = time.perf_counter() - started, weights_of(self.network)
        placement = placement_of(graph)
        return NetworkResult(
            self.network, setup, layers, images_in(graph), seconds, weights=weights, placement=placement
        )

    def with_units(self, config: AcceleratorConfig, free: Container[str]) -> AcceleratorConfig:
        """The configuration with what the network needs of units that are free to be chosen.

        Tables if layers look something up, addends if they combine, sparse lanes if those save time with its weights.
        """
        sizes = {name: size for name, size in {"tables": TABLES, "addends": ADDENDS}.items() if name in free}
        layers = self.layers(dataclasses.replace(config, **sizes)) if sizes else []
        used = {
            "tables": any(layer.lookup for layer in layers),
            "addends": any(layer.combination for layer in layers),
        }
        chosen = dataclasses.replace(config, **{name: size for name, size in sizes.items() if used[name]})
        return dataclasses.replace(chosen, sparse=1) if "sparse" in free and self._gains_by_lanes(chosen) else chosen

    def _gains_by_lanes(self, config: AcceleratorConfig) -> bool:
        """Whether sparse lanes save as much as they must, on this accelerator and a usual memory."""
        lanes = dataclasses.replace(config, sparse=1)
        if not any(SparseShape.of(layer, lanes) for layer in self.layers(lanes)):
            return False
        memory = MemoryTiming.for_bus(config.bus_bytes)
        without, with_lanes = (
            Report(self.time(Setup("timing", each, memory))).as_dict()["total"]["cycles"] for each in (config, lanes)
        )
        return bool(with_lanes <= (1 - LANES_SAVE) * without)

    @property
    def from_file(self) -> bool:
        """Whether it is a file of the user's, which other machines need not have."""
        return is_onnx(self.network) and self.network not in ONNX_BUILT_IN

    def parcel(self) -> Parcel:
        """The files of a model ``from_file``: its own, by its name, and those in which it keeps weights."""
        return Parcel(model_contents(model_path(self.network)))

    def fingerprint(self) -> str:
        """Of all that its times depend on besides accelerator, memory and program."""
        content = self.parcel().name.encode() if self.from_file else self.network.encode()
        shapes = sorted((name, tuple(shape)) for name, shape in self.shapes.items())
        told = f"{shapes} {self.int8_kernels} {self.images or 0}"
        return hashlib.sha256(content + told.encode()).hexdigest()

    def _graph(self, config: AcceleratorConfig) -> ImportedGraph:
        status = os.stat(model_path(self.network)) if os.path.exists(model_path(self.network)) else None
        return _imported(
            self.network,
            tuple(sorted(self.shapes.items())),
            self.int8_kernels,
            self.images,
            # What the import asks of an accelerator: how channels fall into blocks, and what instructions express.
            AcceleratorConfig(
                rows=config.rows,
                cols=config.cols,
                tables=config.tables,
                addends=config.addends,
                accumulators=config.accumulators,
                winograd=0,
            ),
            status and (status.st_mtime_ns, status.st_size),
        )


@functools.lru_cache(maxsize=64)
def _imported(
    network: str,
    shapes: tuple[tuple[str, tuple[int, ...]], ...],
    int8_kernels: bool,
    images: int | None,
    config: AcceleratorConfig,
    stamp: object,
) -> ImportedGraph:
    """A model, once for all accelerators that it is the same on; ``stamp`` tells a changed file from the one before."""
    sizes = Sizes(dict(shapes), images)
    return imported_for_estimate(network, config, sizes, int8_kernels=int8_kernels)


def _operands(step: AcceleratedStep) -> Operands:
    return step.operands
