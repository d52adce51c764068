"""Compiles a layer, from its geometry alone, to a program and the memory it works on."""

from __future__ import annotations

import dataclasses
import functools
import gc
import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from wingrid.host.compiler.addend_loader import within_addends
from wingrid.host.compiler.algorithms import SPARSE, algorithm_name, possible_unfoldings, require_units, usable_tiles
from wingrid.host.compiler.coded_weights import CodedWeights
from wingrid.host.compiler.cutting import Cutting
from wingrid.host.compiler.layout import pack_weights
from wingrid.host.compiler.memory_map import MemoryMap, Place, weight_bytes
from wingrid.host.compiler.native_lowering import least_instructions, lowered, require_short
from wingrid.host.compiler.plan import Plan
from wingrid.host.compiler.plan_cost import plan_cost
from wingrid.host.compiler.sparse_streams import SparseShape, SparseStreams
from wingrid.host.compiler.stacking import Stacking
from wingrid.host.compiler.synchronise import Schedule, synchronise
from wingrid.host.compiler.tiler import best_plan, coded_plan, cost_bound
from wingrid.host.compiler.unfolding import Unfolding
from wingrid.host.networks.layer import Convolution, Layer, LayerError, Operands, OperandSource
from wingrid.hw.config import INSTRUCTION_BYTES, AcceleratorConfig
from wingrid.hw.encoding import decode_program, encode_program
from wingrid.hw.isa import Instruction
from wingrid.sim.tools import ToolMissing

Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class CompiledLayer:
    """A program for one layer; weights and activations come to it through ``wingrid.host.compiler.layout``."""

    layer: Layer
    config: AcceleratorConfig
    plan: Plan
    memory: MemoryMap
    program: bytes
    """The instructions as they lie in memory at ``memory.program``."""
    unfolding: Unfolding | None = None
    """Which of the kernel's taps the program takes for channels, if any."""
    cutting: Cutting | None = None
    """Which sections of the image, unfolded or not, the program takes for images of a batch, if any."""
    streams: SparseStreams | None = None
    """The weights as the program takes them, if it takes no tiles."""
    coded: CodedWeights | None = None
    """The weights as the program takes them, if it takes tiles and they are compressed."""
    stacking: Stacking | None = None
    """How the program takes channel blocks for rows, if it does."""

    def operands(self, operands: Operands) -> Operands:
        """The layer's operands as those of the convolution that the program does."""
        adapted = self.unfolding or self.stacking
        return adapted.operands(operands) if adapted else operands

    @property
    def algorithm(self) -> str:
        """How reports call what the program does."""
        return algorithm_name(self.plan.blocking.tile) if self.streams is None else SPARSE

    def packed_weights(self, operands: Operands) -> npt.NDArray[np.uint8]:
        """The weights, of ``operands`` that the method of that name has returned, as the program expects them."""
        if self.streams is not None:
            return self.streams.packed(self.config)
        if self.coded is not None:
            return self.coded.packed(self.config)
        return pack_weights(operands.weights, self.plan.blocking, self.config)

    @property
    def weight_bytes(self) -> int:
        """Bytes that the weights take in memory."""
        return _weight_bytes(self)

    @property
    def memory_bytes(self) -> int:
        """Size of the memory that it needs, from address 0."""
        return self.memory.size(self.length)

    @property
    def length(self) -> int:
        """Instructions of the program."""
        return len(self.program) // INSTRUCTION_BYTES

    @cached_property
    def instructions(self) -> list[Instruction]:
        """The program, instruction by instruction, for those who want to look at it."""
        return decode_program(self.program)


@dataclass(frozen=True)
class PlannedLayer:
    """A layer of which all is decided but not yet written down."""

    layer: Layer
    config: AcceleratorConfig
    plan: Plan
    memory: MemoryMap
    unfolding: Unfolding | None
    cutting: Cutting | None
    streams: SparseStreams | None = None
    coded: CodedWeights | None = None
    stacking: Stacking | None = None

    @property
    def weight_bytes(self) -> int:
        """Bytes that the weights take in memory."""
        return _weight_bytes(self)

    def placed(self, place: Place) -> PlannedLayer:
        """In a memory that it shares with others. Raises ``LayerError`` if it does not fit into the address space."""
        memory = MemoryMap.of(self.layer, self.plan.blocking, self.config, place, stream_bytes=self.weight_bytes)
        return dataclasses.replace(self, memory=memory)

    def by(self, streams: SparseStreams) -> PlannedLayer:
        """The layer computed from sparse streams."""
        memory = MemoryMap.of(self.layer, self.plan.blocking, self.config, stream_bytes=streams.bytes(self.config))
        return dataclasses.replace(self, memory=memory, streams=streams)

    def with_codes(self, plan: Plan, coded: CodedWeights) -> PlannedLayer:
        """The layer by a plan for compressed weights."""
        memory = MemoryMap.of(self.layer, plan.blocking, self.config, stream_bytes=coded.bytes(self.config))
        return dataclasses.replace(self, plan=plan, memory=memory, coded=coded)

    def compiled(self) -> CompiledLayer:
        """Write the program. Raises ``LayerError`` if it is longer than programs can be, or than memory."""
        with _uncollected():
            program = _sparse_program(self) if self.streams else _program(self)
        compiled = CompiledLayer(
            self.layer,
            self.config,
            self.plan,
            self.memory,
            program,
            self.unfolding,
            self.cutting,
            self.streams,
            self.coded,
            self.stacking,
        )
        self.memory.size(compiled.length)
        return compiled


def _weight_bytes(layer: CompiledLayer | PlannedLayer) -> int:
    streams = layer.streams or layer.coded
    return streams.bytes(layer.config) if streams else weight_bytes(layer.plan.blocking, layer.config)


def compile_layer(
    layer: Layer,
    config: AcceleratorConfig,
    plan: Plan | None = None,
    *,
    tiles: tuple[int, ...] = (0,),
    unfoldings: Mapping[Unfolding, tuple[int, ...]] | None = None,
) -> CompiledLayer:
    """Compile by ``plan``, or by the best one with the algorithms that ``tiles`` allows (see ``best_plan``).

    ``unfoldings`` may serve in place of the layer as it is, each with the tiles that it allows.
    Raises ``LayerError`` for a layer that this accelerator or its address space cannot take.
    """
    return plan_layer(layer, config, plan, tiles=tiles, unfoldings=unfoldings).compiled()


def plan_layer(
    layer: Layer,
    config: AcceleratorConfig,
    plan: Plan | None = None,
    *,
    tiles: tuple[int, ...] = (0,),
    unfoldings: Mapping[Unfolding, tuple[int, ...]] | None = None,
) -> PlannedLayer:
    """Decide what ``compile_layer`` writes down. Raises ``LayerError`` where it is plain that it could not."""
    require_units(layer, config)
    way = _Way(None, None, layer.shape, tiles)
    stacking = Stacking.of(layer, config) if plan is None else None
    with _uncollected():
        if stacking:
            plan = best_plan(stacking.stacked, config, alike_rows=True)
        if plan is None:
            ways = [(None, tiles), *(unfoldings or {}).items()]
            plan, way = _cheapest(layer, within_addends(layer, config), ways)
        memory = MemoryMap.of(layer, plan.blocking, config)
        require_short(layer, least_instructions(plan))
    return PlannedLayer(layer, config, plan, memory, way.unfolding, way.cutting, stacking=stacking)


def shapes_in_memory(layer: PlannedLayer | CompiledLayer) -> tuple[Shape, Shape]:
    """[images, channels, height, width] of what it takes and leaves, as they lie in memory."""
    blocking, shape = layer.plan.blocking, layer.layer.shape
    if layer.stacking:
        return (shape.images, shape.channels, shape.height, shape.width), layer.layer.output_shape
    return blocking.input_shape, blocking.output_shape


def _program(planned: PlannedLayer) -> bytes:
    """The layer's program, as it lies in memory. Without a C++ compiler it takes a hundred times as long."""
    description = planned.layer, planned.plan, planned.memory, planned.coded
    try:
        return lowered(*description)
    except ToolMissing:
        # Imported here, as in the next function: most programs are written without.
        from wingrid.host.compiler.lowering import Lowering

        return _synchronised(planned.layer, Lowering(*description).emit())


def _sparse_program(planned: PlannedLayer) -> bytes:
    """The program of a layer computed from sparse streams, as it lies in memory."""
    from wingrid.host.compiler.sparse_lowering import SparseLowering

    assert planned.streams is not None, "the layer is sparse"
    lowering = SparseLowering(planned.layer, planned.streams, planned.plan.blocking, planned.config, planned.memory)
    return _synchronised(planned.layer, lowering.emit())


def _synchronised(layer: Layer, schedule: Schedule) -> bytes:
    require_short(layer, len(schedule.instructions))
    synchronise(schedule.instructions, schedule.dependencies)
    return encode_program(schedule.instructions)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection.

    Plans and programs are tens of thousands of small objects in no cycles; looking through them again and again took
    a third of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(frozen=True)
class _Way:
    """A way to compute a layer: unfolded or not, cut or not, and then by one of these algorithms."""

    unfolding: Unfolding | None
    cutting: Cutting | None
    shape: Convolution
    tiles: tuple[int, ...]

    @classmethod
    def of(cls, layer: Layer, unfolding: Unfolding | None, tiles: tuple[int, ...]) -> _Way:
        """Cut if it has to be. Raises ``LayerError`` if that does not help."""
        shape = unfolding.unfolded if unfolding else layer.shape
        cutting = Cutting.of(shape, layer.pool)
        if cutting and layer.surface:
            raise LayerError(f"layer {layer.name}: sections of an image do not lie within another tensor")
        return cls(unfolding, cutting, cutting.cut if cutting else shape, tiles)


def _cheapest(
    layer: Layer, config: AcceleratorConfig, ways: Sequence[tuple[Unfolding | None, tuple[int, ...]]]
) -> tuple[Plan, _Way]:
    """The plan of least cost over all ways to compute the layer; raises the first one's ``LayerError`` if none can."""
    best: tuple[Plan, _Way] | None = None
    least, refused = math.inf, None
    bounds: list[tuple[float, _Way]] = []
    for unfolding, tiles in ways:
        try:
            way = _Way.of(layer, unfolding, tiles)
            bounds.append((cost_bound(way.shape, config, tiles, layer.pool), way))
        except LayerError as error:
            refused = refused or error
    # The most promising first, so that what the others cost at least often rules them out.
    for bound, way in sorted(bounds, key=operator.itemgetter(0)):
        if bound >= least:
            break
        try:
            plan = best_plan(way.shape, config, way.tiles, layer.pool, column_step=layer.column_step)
        except LayerError as error:
            refused = refused or error
            continue
        cost = plan_cost(plan)
        if cost is not None and cost.cost < least:
            best, least = (plan, way), cost.cost
    if best is None:
        assert refused is not None, "there is a way, and it was tried"
        raise refused
    return best


def compile_exactly(
    layer: Layer,
    operands: OperandSource,
    config: AcceleratorConfig,
    algorithm: str | None = None,
) -> CompiledLayer:
    """Compile for the cheapest algorithm, or the one asked for, that is exact with these weights."""
    return plan_exactly(layer, operands, config, algorithm).compiled()


def plan_exactly(
    layer: Layer,
    operands: OperandSource,
    config: AcceleratorConfig,
    algorithm: str | None = None,
) -> PlannedLayer:
    """Decide what ``compile_exactly`` writes down.

    Where there are sparse lanes, that takes the weights of every layer that they could compute; where there are
    decoders, of every layer that takes a Winograd algorithm.
    """
    operands = functools.cache(operands)
    planned = _planned(layer, operands, config, algorithm)
    tile = planned.plan.blocking.tile
    return _compressed(planned, operands) if config.decoders and tile and not planned.streams else planned


def _compressed(planned: PlannedLayer, operands: OperandSource) -> PlannedLayer:
    """With compressed weights, if that is cheaper."""
    unfolding, blocking, config = planned.unfolding, planned.plan.blocking, planned.config
    taken = _unfolded(unfolding, operands) if unfolding else operands()
    coded = CodedWeights.of(taken.weights, blocking, config)
    plan = coded_plan(blocking, coded.largest, planned.plan.config) if coded else None
    if coded is None or plan is None:
        return planned
    costs = plan_cost(planned.plan), plan_cost(plan)
    # Tables come before anything can be decoded.
    dense, compressed = (cost.cost if cost else math.inf for cost in costs)
    return planned.with_codes(plan, coded) if compressed + config.code_entries < dense else planned


def _planned(
    layer: Layer,
    operands: OperandSource,
    config: AcceleratorConfig,
    algorithm: str | None,
) -> PlannedLayer:
    """The same for weights as they are, or sparse streams."""
    tiles = usable_tiles(layer, operands, config, algorithm)
    unfoldings = {
        unfolding: usable_tiles(
            unfolding.layer(layer), functools.partial(_unfolded, unfolding, operands), config, algorithm
        )
        for unfolding in possible_unfoldings(layer, config)
    }
    planned = plan_layer(layer, config, tiles=tiles, unfoldings=unfoldings)
    if algorithm not in (None, SPARSE) or planned.cutting or SparseShape.of(layer, config) is None:
        return planned
    try:
        # Streams are of the layer as it is, whatever the mesh would make of it.
        whole = plan_layer(layer, config) if planned.unfolding else planned
    except LayerError:
        return planned
    streams = SparseStreams.cheapest(layer, operands(), config)
    dense = plan_cost(planned.plan)
    cheaper = dense is None or streams.cost.cost < dense.cost
    return whole.by(streams) if algorithm or cheaper else planned


def _unfolded(unfolding: Unfolding, operands: OperandSource) -> Operands:
    return unfolding.operands(operands())
