"""Chooses how a layer is cut into what the buffers hold: the cheapest of many plans, by estimate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

from host.blocking import Blocking
from host.estimate import estimate
from host.layers import Convolution, LayerError
from host.plan import Plan
from hw.config import AcceleratorConfig
from hw.winograd import KERNEL

STEPS_BEYOND_FIT = 2
"""How many finer divisions into strips are still tried once one has let a tile's pixels stay on chip."""


@lru_cache(maxsize=256)
def best_plan(shape: Convolution, config: AcceleratorConfig, tiles: tuple[int, ...] = (0,)) -> Plan:
    """The plan of least cost, cycles plus a little for each beat of traffic, among algorithms.

    ``tiles`` are the Winograd tiles that may be used; 0 stands for direct convolution and serves where none
    of the others can. Raises ``LayerError`` if the layer cannot be expressed on this accelerator at all.
    """
    candidates = []
    for tile in tiles:
        if tile and not (tile in config.tiles and Blocking.suits_winograd(shape)):
            continue
        if tile and 2 * config.rows * KERNEL * KERNEL > config.weight_buffer:
            continue
        if found := _best_of(Blocking.of(shape, config, tile), config):
            candidates.append(found)
    if not candidates and 0 not in tiles:
        return best_plan(shape, config)
    if not candidates:
        raise LayerError("no division of the layer fits into the buffers")
    return min(candidates, key=lambda found: found[0])[1]


def _best_of(blocking: Blocking, config: AcceleratorConfig) -> tuple[float, Plan] | None:
    """Cost and plan of the cheapest way for one algorithm, if there is any."""
    shape = blocking.walk
    best: Plan | None = None
    least = math.inf
    beyond = 0
    for strips in divisions(shape.out_width):
        stays = False
        for plan in _plans(blocking, config, strips):
            estimated = estimate(plan)
            if estimated is None:
                continue
            if estimated.cost < least:
                best, least = plan, estimated.cost
            stays = stays or (plan.overlapped and len(plan.windows(plan.output_passes()[0]) or ()) == 1)
        beyond += stays
        if beyond > STEPS_BEYOND_FIT:
            break
    return None if best is None else (least, best)


def divisions(size: int) -> Iterator[int]:
    """Numbers of parts worth trying: 1, 2, 3, 4, 6, 8, 12, ... and ``size`` itself."""
    parts = 1
    while parts < size:
        yield parts
        if parts > 1 and parts + parts // 2 < size and parts & (parts - 1) == 0:
            yield parts + parts // 2
        parts *= 2
    yield size


def _plans(blocking: Blocking, config: AcceleratorConfig, strips: int) -> Iterator[Plan]:
    shape = blocking.walk
    pixels = math.ceil(shape.out_width / strips) * shape.out_height
    held = config.accumulators // blocking.positions
    if not held:
        return
    fewest = math.ceil(pixels / held)
    tiles_tried = sorted({min(max(fewest, 1) * part, pixels) for part in divisions(pixels)} | {fewest + 1, fewest + 2})
    smallest = (shape.out_width // strips) * shape.out_height
    for tiles in tiles_tried:
        if tiles > smallest:
            continue
        for passes in _passes(blocking, config):
            for overlapped in (True, False):
                plan = Plan(blocking, config, passes, strips, tiles, 1, overlapped)
                yield plan
                windows = plan.windows(plan.output_passes()[0])
                if windows is None or len(windows) == 1:
                    continue
                most = min(held // plan.largest, math.ceil(blocking.output_blocks / passes))
                for batch in sorted({2, 4, 8, 16, most}):
                    if 1 < batch <= most:
                        yield Plan(blocking, config, passes, strips, tiles, batch, overlapped)


def _passes(blocking: Blocking, config: AcceleratorConfig) -> list[int]:
    """All output blocks at once, as many as keep their weights on chip, or one."""
    blocks = blocking.output_blocks
    entries = max(blocking.weight_tiles(blocking.tap_box(block)) for block in (0, blocks - 1)) * config.rows
    held = math.ceil(blocks / max(config.weight_buffer // entries, 1))
    return sorted({1, held, blocks})
