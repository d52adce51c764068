"""A point of the front in words: what keeps it from being better, and what the next step costs and brings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from wingrid.host.exploration.measures import MEASURES
from wingrid.host.exploration.search import Found, Point
from wingrid.host.fitting.area_model import is_known, predicted_area
from wingrid.host.fitting.designs import SHARED
from wingrid.host.fitting.fit import ROOM, describe
from wingrid.hw.config import AcceleratorConfig

BINDING = {
    "compute": "the multipliers work in most cycles",
    "bandwidth": "the memory's bus is busy in most cycles",
    "weights": "weights enter the mesh more slowly than they are used",
    "latency": "engines wait for memory's answers, or for each other",
}
"""What a resource that binds layers means (``reports.roofline.Bound``)."""

RESOURCE = {"logic": "LUT", "multipliers": "DSP", "memories": "BRAM"}

FEW = 0.005
"""Relative differences below which are not told."""


def binding(found: Found, point: Point) -> str:
    """What binds the design: of its time the resource and the layer, of the chip what a larger mesh lacks."""
    told = []
    for workload, exact in zip(found.question.workloads, point.exact, strict=True):
        name = max(exact.bound_cycles, key=lambda bound: exact.bound_cycles[bound])
        share = exact.bound_cycles[name] / exact.cycles
        slowest = exact.slowest_cycles / exact.cycles
        of = f"{workload.network}: " if len(found.question.workloads) > 1 else ""
        told.append(
            f"{of}{name} in layers of {share:.0%} of the cycles ({BINDING[name]}); "
            f"slowest layer {exact.slowest}, {slowest:.0%}"
        )
    return "; ".join([*told, _chip(found, point)])


def _chip(found: Found, point: Point) -> str:
    """What of the chip the next larger mesh of the space would lack."""
    wanted = found.question.wanted
    larger = [
        mesh
        for mesh in found.question.space.meshes(wanted)
        if mesh.multipliers > point.config.multipliers
        and mesh.winograd == point.config.winograd
        and is_known(mesh, wanted.target.family)
    ]
    if not larger:
        return "the space has no larger mesh of this tile"
    mesh = min(larger, key=lambda mesh: (mesh.multipliers, abs(mesh.rows - mesh.cols)))
    share = wanted.share(predicted_area(_same_buffers(mesh, point), wanted.target.family))
    over, name = max((share[name] / ROOM[name], name) for name in share)
    if over <= 1:
        return f"a larger mesh, {describe(mesh)}, fits with the same buffers"
    return f"{RESOURCE[name]} bind: {describe(mesh)} would take {share[name]:.0%}, and {ROOM[name]:.0%} may be taken"


def _same_buffers(mesh: AcceleratorConfig, point: Point) -> AcceleratorConfig:
    others = {name: value for name, value in dataclasses.asdict(point.config).items() if name not in SHARED}
    return dataclasses.replace(mesh, **{**others, "weight_buffer": max(point.config.weight_buffer, 2 * mesh.rows)})


def next_step(found: Found, number: int) -> str:
    """From a point of the front to the one before, which is better in the first objective."""
    if number == 0:
        return "none: nothing in the space is better in the first objective"
    point, better = found.front[number], found.front[number - 1]
    first = found.question.objectives[0]
    ratio = better.costs[0] / point.costs[0]
    gain = f"{1 / ratio:.2f} times the {first.name}" if first.inverse else f"{1 - ratio:.1%} less {first.name}"
    return f"{described(better)}: {gain} for {', '.join(_prices(point, better)) or 'nothing of the chip'}"


def _prices(point: Point, better: Point) -> Iterator[str]:
    for name in ("lut", "dsp", "bram", "energy", "traffic"):
        (before, *_), (after, *_) = (MEASURES[name].costs(one.figures) for one in (point, better))
        if abs(after - before) > FEW * before:
            change = f"{after - before:+,.0f}" if before >= 10 else f"{after - before:+.2g}"
            yield f"{change} {name.upper() if name in ('lut', 'dsp', 'bram') else MEASURES[name].unit}"


def described(point: Point) -> str:
    """Mesh, buffers and, where they are not one, images."""
    config = point.config
    batch = f", batches of {point.region.images}" if point.region.images > 1 else ""
    return (
        f"{describe(config)}, buffers {config.input_buffer}/{config.weight_buffer}/{config.accumulators} "
        f"(inputs/weights/accumulators){batch}"
    )


def summary(found: Found) -> Sequence[str]:
    """How the front was found, and that it is whole."""
    tally = found.tally
    left = tally.points - tally.no_room - tally.beyond_limits
    target = found.question.wanted.target.name
    return [
        f"The front is complete within the space: of {tally.points:,} designs {tally.no_room:,} have no room on "
        f"{target}, {tally.beyond_limits:,} cannot keep the limits, and of the other {left:,} "
        f"{tally.bounded_away:,} were bounded away and {tally.exactly_timed:,} timed exactly "
        f"({tally.kept:,} of them known from before, {tally.cannot_run:,} cannot run the network).",
        f"Bounds took {tally.bound_seconds:.1f} s, {tally.designs_per_second:,.0f} designs per second; exact times "
        f"{tally.exact_seconds:.1f} s.",
    ]
