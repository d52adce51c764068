"""Chooses how a layer is cut into what the buffers hold: the cheapest of many plans, by ``plan_cost``."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from functools import lru_cache

from wingrid.host.compiler.blocking import Blocking, Box
from wingrid.host.compiler.plan import Plan
from wingrid.host.compiler.plan_cost import least_cost, plan_cost
from wingrid.host.networks.layer import Convolution, LayerError, Pool
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.winograd_matrices import KERNEL

STEPS_BEYOND_FIT = 2
"""How many finer divisions into strips are still tried once one has let a group's pixels stay on chip."""


@lru_cache(maxsize=256)
def best_plan(
    shape: Convolution,
    config: AcceleratorConfig,
    tiles: tuple[int, ...] = (0,),
    pool: Pool | None = None,
    *,
    column_step: int = 1,
    alike_rows: bool = False,
) -> Plan:
    """The plan of least cost, cycles plus a little for each beat of traffic, among algorithms.

    ``tiles`` are the Winograd tiles that may be used; 0 stands for direct convolution and serves where none
    of the others can. ``pool`` is the max pooling behind the convolution. With a ``column_step`` beyond 1, which
    takes direct convolution, columns of results lie so many pixels apart; with ``alike_rows`` all rows of the kernel
    are one. Raises ``LayerError`` if the layer cannot be expressed on this accelerator at all.
    """
    if column_step > 1:
        blockings = [Blocking.of(shape, config, 0, pool, column_step=column_step, alike_rows=alike_rows)]
    else:
        blockings = _blockings(shape, config, tiles, pool, alike_rows=alike_rows)
    best = _best(blockings, config)
    if best is None and 0 not in tiles:
        return best_plan(shape, config, pool=pool)
    if best is None:
        raise LayerError("no division of the layer fits into the buffers")
    return best


def coded_plan(blocking: Blocking, coded_entries: int, config: AcceleratorConfig) -> Plan | None:
    """The plan of least cost by the same Winograd tiles with compressed weights, if there is one.

    ``coded_entries`` is what a raw weight tile takes at most.
    """
    return _best([dataclasses.replace(blocking, coded_entries=coded_entries)], config)


def _best(blockings: list[Blocking], config: AcceleratorConfig) -> Plan | None:
    """The plan of least cost over all of them, if any fits into the buffers."""
    # The most promising first, so that what the others can cost at best often rules them out.
    blockings = sorted(blockings, key=lambda blocking: least_cost(blocking, config, blocking.shape.images))
    best: Plan | None = None
    least = math.inf
    for blocking in blockings:
        for cost, plan in _improvements(blocking, config, least):
            best, least = plan, cost
    return best


def cost_bound(
    shape: Convolution, config: AcceleratorConfig, tiles: tuple[int, ...] = (0,), pool: Pool | None = None
) -> float:
    """A cost that no plan of ``best_plan`` stays below. Raises ``LayerError`` as that does, but not in all cases."""
    blockings = _blockings(shape, config, tiles, pool) or _blockings(shape, config, (0,), pool)
    return min(least_cost(blocking, config, shape.images) for blocking in blockings)


def _blockings(
    shape: Convolution,
    config: AcceleratorConfig,
    tiles: tuple[int, ...],
    pool: Pool | None,
    *,
    alike_rows: bool = False,
) -> list[Blocking]:
    suited = [tile for tile in tiles if not tile or _can_take(shape, config, tile, pool)]
    return [Blocking.of(shape, config, tile, pool, alike_rows=alike_rows) for tile in suited]


def _can_take(shape: Convolution, config: AcceleratorConfig, tile: int, pool: Pool | None) -> bool:
    """Whether the accelerator has the algorithm, it suits the layer, and two raw kernels fit the weight buffer."""
    fits = 2 * config.rows * KERNEL * KERNEL <= config.weight_buffer
    return tile in config.tiles and Blocking.suits_winograd(shape, pool) and fits


def _improvements(blocking: Blocking, config: AcceleratorConfig, least: float) -> Iterator[tuple[float, Plan]]:
    """Costs and plans of one algorithm, each cheaper than ``least`` and than those before."""
    beyond = 0
    images = blocking.shape.images
    for strips in [blocking.grid[1]] if blocking.columns_alone else divisions(blocking.grid[1]):
        if least_cost(blocking, config, images * strips) >= least:
            break
        stays = False
        for groups in _group_counts(blocking, config, strips):
            if least_cost(blocking, config, images * strips * groups) >= least:
                break
            for plan in _plans(blocking, config, strips, groups):
                cost = plan_cost(plan)
                if cost is None:
                    continue
                if cost.cost < least:
                    least = cost.cost
                    yield least, plan
                stays = stays or (plan.overlapped and len(plan.chunks(plan.first_pass) or ()) == 1)
        beyond += stays
        if beyond > STEPS_BEYOND_FIT:
            break


def divisions(size: int) -> Iterator[int]:
    """Numbers of parts worth trying: 1, 2, 3, 4, 6, 8, 12, ... and ``size`` itself."""
    parts = 1
    while parts < size:
        yield parts
        if parts > 1 and parts + parts // 2 < size and parts & (parts - 1) == 0:
            yield parts + parts // 2
        parts *= 2
    yield size


def _group_counts(blocking: Blocking, config: AcceleratorConfig, strips: int) -> list[int]:
    """Numbers of groups that a strip may be cut into, fewest first."""
    height, width = blocking.grid
    held = config.accumulators // blocking.positions
    if pool := blocking.gathered:
        rows_held = held // pool.span(0, math.ceil(width / strips))[1]
        if rows_held < pool.side:
            return []
        parts = smallest = height
        fewest = math.ceil(height / pool.outputs(rows_held))
    elif held:
        parts, smallest = math.ceil(width / strips) * height, (width // strips) * height
        fewest = math.ceil(parts / held)
    else:
        return []
    counts = {min(fewest * part, parts) for part in divisions(parts)} | {fewest + 1, fewest + 2}
    return sorted(count for count in counts if count <= smallest)


def _plans(blocking: Blocking, config: AcceleratorConfig, strips: int, groups: int) -> Iterator[Plan]:
    for passes in _passes(blocking, config):
        for overlapped in (True, False):
            plan = Plan(blocking, config, 1, passes, strips, groups, 1, overlapped)
            yield plan
            chunks = plan.chunks(plan.first_pass)
            if chunks is None:
                continue
            if len(chunks) == 1:
                for regions in _regions(plan, chunks[0]):
                    yield dataclasses.replace(plan, regions=regions)
                if blocking.shape.groups == 1:
                    # With one chunk for all taps it makes no difference what there might be room for besides.
                    break
                continue
            held = config.accumulators // blocking.positions
            most = min(held // plan.largest, math.ceil(blocking.output_blocks / passes))
            for batch in sorted({2, 4, 8, 16, most}):
                if 1 < batch <= most:
                    yield dataclasses.replace(plan, batch=batch)


def _regions(plan: Plan, chunk: Box) -> list[int]:
    """Numbers of regions, besides 1, that let the pixels of each stay on chip: the fewest, and every group apart.

    Only worth while if there are several passes for the pixels to stay for.
    """
    if plan.passes == 1 or plan.stays(chunk):
        return []
    fewest = next(
        (
            plan.strips_in_all * parts
            for parts in range(1, plan.groups + 1)
            if plan.would_stay(chunk, plan.strips_in_all * parts)
        ),
        None,
    )
    return [] if fewest is None else sorted({fewest, plan.strips_in_all * plan.groups})


def _passes(blocking: Blocking, config: AcceleratorConfig) -> list[int]:
    """All output blocks at once, as many as keep their weights on chip, or one."""
    blocks = blocking.output_blocks
    entries = max(blocking.weight_entries(blocking.tap_box(block)) for block in (0, blocks - 1))
    held = math.ceil(blocks / max(config.weight_buffer // entries, 1))
    return sorted({1, held, blocks})
