"""Which algorithms a layer may be computed with, and their names in reports and settings."""

from __future__ import annotations

import math

from wingrid.host.compiler.blocking import Blocking
from wingrid.host.compiler.cutting import Cutting
from wingrid.host.compiler.unfolding import Unfolding
from wingrid.host.errors import UserError
from wingrid.host.networks.layer import Layer, LayerError, Operands, OperandSource
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.golden.winograd import any_answers_fit, require_fitting_answers

TILES = {"direct": 0, "winograd2": 2, "winograd4": 4}
"""Size of the Winograd tile behind each name; 0 stands for direct convolution."""

SPARSE = "sparse"
"""Streams of non-zero weights, where a layer can be computed from them; else direct."""


def algorithm_name(tile: int) -> str:
    """How reports call the algorithm with this tile."""
    return next(name for name, size in TILES.items() if size == tile)


def require_algorithm(name: str, config: AcceleratorConfig) -> None:
    """Raise ``UserError`` for an algorithm that does not exist, or not on this accelerator."""
    if name == SPARSE:
        if not config.sparse:
            raise UserError("algorithm sparse needs sparse = 1")
        return
    if name not in TILES:
        raise UserError(f"unknown algorithm {name!r}; there are {', '.join([*TILES, SPARSE])}")
    if TILES[name] > config.winograd:
        raise UserError(f"algorithm {name} needs winograd = {TILES[name]} or more, not {config.winograd}")


def usable_tiles(
    layer: Layer, operands: Operands | OperandSource, config: AcceleratorConfig, algorithm: str | None = None
) -> tuple[int, ...]:
    """Tiles that are sure to give exact results with these weights, 0 (direct) if no other.

    A Winograd accumulator brings back fewer bits than it has: with weights whose sums could need more, for
    some int8 input, its tile is left out, and so it is for layers that are no convolution for Winograd.
    Only layers of many channels have weights that could, so a source of ``operands`` is asked for no others'.
    ``algorithm`` leaves no choice but one and direct. Tiles leave neighbouring columns together, so that there is none
    for layers whose columns lie apart.
    """
    wanted = (0, *config.tiles) if algorithm is None else (TILES.get(algorithm, 0),)
    suited = Blocking.suits_winograd(layer.shape, layer.pool) and layer.column_step == 1
    return tuple(tile for tile in wanted if not tile or (suited and _fits(layer, operands, tile, config))) or (0,)


def possible_unfoldings(layer: Layer, config: AcceleratorConfig) -> list[Unfolding]:
    """Ways to unfold taps into channels: all for a layer whose image or strides are too long as they are.

    Of others, only those with few channels and an input that the host prepares anyway have any.
    """
    candidates = Unfolding.candidates(layer.shape)
    if not _expressible(layer, config):
        return candidates
    shape = layer.shape
    if not layer.prepared or shape.groups > 1 or shape.channels >= config.rows:
        return []
    return [unfolding for unfolding in candidates if unfolding.taps != (1, 1)]


def _expressible(layer: Layer, config: AcceleratorConfig) -> bool:
    """Whether instructions express the layer as it is."""
    try:
        Blocking.of(layer.shape, config, 0, layer.pool)
    except LayerError:
        return False
    return True


def require_way(layer: Layer, config: AcceleratorConfig) -> None:
    """Raise ``LayerError`` unless instructions express the layer: as it is, unfolded or cut into sections."""
    require_units(layer, config)
    refused: LayerError | None = None
    for shape in (layer.shape, *(unfolding.unfolded for unfolding in possible_unfoldings(layer, config))):
        try:
            cutting = Cutting.of(shape, layer.pool)
            Blocking.of(cutting.cut if cutting else shape, config, 0, layer.pool)
        except LayerError as error:
            refused = refused or error
        else:
            return
    assert refused is not None, "the layer as it is was tried"
    raise refused


def require_units(layer: Layer, config: AcceleratorConfig) -> None:
    """Raise ``LayerError`` for a layer with a lookup or a combination that this accelerator cannot do."""
    if layer.lookup and not config.tables:
        raise LayerError(f"layer {layer.name} looks its results up, and the accelerator has no tables: set tables=8")
    if not layer.combination:
        return
    if not config.addends:
        raise LayerError(f"layer {layer.name} takes an addend, and the accelerator has none: set addends=1024")
    if layer.pool and layer.pool.side != layer.pool.stride and not layer.combination.broadcast:
        raise LayerError(f"layer {layer.name} takes an addend and pools windows that overlap, which takes two layers")
    if Cutting.of(layer.shape, layer.pool):
        raise LayerError(f"layer {layer.name} takes an addend, and its image is too large for one piece")


def _fits(layer: Layer, operands: Operands | OperandSource, tile: int, config: AcceleratorConfig) -> bool:
    shape = layer.shape
    products = shape.channels // shape.groups * math.prod(shape.kernel)
    if any_answers_fit(products, tile, config.accumulator_bits):
        return True
    weights = (operands if isinstance(operands, Operands) else operands()).weights
    try:
        require_fitting_answers(weights, tile, config.accumulator_bits)
    except ValueError:
        return False
    return True
