"""An estimate for the multipliers, the clock and the bandwidth that another accelerator has, beside its figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wingrid.host.errors import UserError
from wingrid.host.execution.layer_result import LayerResult
from wingrid.host.execution.listener import Listener
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.network_time import time_network
from wingrid.host.execution.setup import Setup
from wingrid.host.fidelity.published import Published
from wingrid.host.networks.built_in import find
from wingrid.host.networks.layer import Convolution
from wingrid.host.reports.roofline import Bound, bound_by
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming

WORTH_A_REASON = 0.1
"""Of a published time: a difference above it gets its reason."""

MUCH = 0.9
"""Of all multipliers: a use from which on there is nothing to explain."""

NEAR = 0.03
"""Of all multipliers: so near must a published use of them be to what whole groups of pixels leave."""


@dataclass(frozen=True)
class Row:
    """A layer, or the whole network: milliseconds of an image."""

    layer: str
    macs: int
    theirs: float
    direct: float
    """Here, by direct convolution."""
    cheapest: float
    """Here, by the cheapest algorithm of each layer: Winograd's where it helps."""
    their_use: float
    """Multiply-adds over cycles and multipliers."""
    our_use: float
    reason: str | None
    """Why direct convolution here differs by more than ``WORTH_A_REASON``; ``None`` if it does not."""

    @property
    def ratio(self) -> float:
        """Their time over that of direct convolution here: above 1 where this one is faster."""
        return self.theirs / self.direct


@dataclass(frozen=True)
class Traffic:
    """Bytes of feature maps for an image, as if both kept them in as many bits."""

    layers: tuple[str, ...]
    bits: int
    by_layer: int
    fused: int
    here: int


@dataclass(frozen=True)
class Comparison:
    """Figures side by side; ``rows`` end with the whole network."""

    published: Published
    setup: Setup
    rows: tuple[Row, ...]
    traffic: Traffic | None = None


def compare(other: Published, listener: Listener | None = None) -> Comparison:
    """Estimate the network on an array of the other accelerator's size.

    Raises ``UserError`` if its source does not say how large it is.
    """
    network = find(other.network)
    if other.feature_maps is not None:
        return _traffic(other, listener)
    if not other.comparable:
        raise UserError(
            f"{other.name} ({other.source}) does not tell multipliers, clock and bandwidth, so there is no array of "
            f"the same size to estimate"
        )
    assert other.multipliers is not None
    assert other.clock_mhz is not None
    assert other.bytes_per_cycle is not None
    config = AcceleratorConfig(rows=other.rows or 0, cols=other.cols or 0)
    # A beat carries a channel block, so a wider bus than the block would carry no more.
    timing = MemoryTiming(bytes_per_cycle=min(other.bytes_per_cycle, config.bus_bytes))
    setup = Setup("timing", config, timing)
    direct = time_network(network, Setup("timing", config, timing, algorithm="direct"), listener=listener)
    cheapest = time_network(network, setup, listener=listener)
    rows = tuple(_rows(other, direct, cheapest))
    return Comparison(other, setup, rows)


def _rows(other: Published, direct: NetworkResult, cheapest: NetworkResult) -> Iterator[Row]:
    whole = other.total_milliseconds
    for ours, best in zip(direct.layers, cheapest.layers, strict=True):
        if (theirs := other.milliseconds.get(ours.layer.name)) is not None:
            row = _row(other, ours.layer.name, ours.layer.shape.macs, theirs, _cycles([ours]), _cycles([best]), direct)
            yield _with_reason(row, _layer_reason(other, row, ours, direct.setup))
    if whole is not None:
        macs = sum(layer.layer.shape.macs for layer in direct.layers)
        row = _row(other, "all", macs, whole, _cycles(direct.layers), _cycles(cheapest.layers), direct)
        yield _with_reason(row, _whole_reason(other, row))


def _row(
    other: Published, name: str, macs: int, theirs: float, direct: int, cheapest: int, result: NetworkResult
) -> Row:
    assert other.clock_mhz is not None
    assert other.multipliers is not None
    per_ms = other.clock_mhz * 1e3
    their_use = macs / (other.multipliers * theirs * per_ms)
    our_use = macs / (result.setup.config.multipliers * direct)
    return Row(name, macs, theirs, direct / per_ms, cheapest / per_ms, their_use, our_use, None)


def _with_reason(row: Row, reason: str) -> Row:
    if abs(row.direct / row.theirs - 1) <= WORTH_A_REASON:
        return row
    return Row(row.layer, row.macs, row.theirs, row.direct, row.cheapest, row.their_use, row.our_use, reason)


def _layer_reason(other: Published, row: Row, ours: LayerResult, setup: Setup) -> str:
    return f"there {_there(other, row, ours.layer.shape)}; here {_here(ours, setup)}"


def _there(other: Published, row: Row, shape: Convolution) -> str:
    use = f"{row.their_use:.0%} of the multipliers are in use"
    if other.pixels is None or not shape.out_height * shape.out_width > 1:
        return use
    count = shape.out_height * shape.out_width
    filled = count / (other.pixels * math.ceil(count / other.pixels))
    if filled < 1 - NEAR and abs(row.their_use - filled) <= NEAR:
        return (
            f"{use}, as {other.pixels} pixels at a time fill {filled:.0%} of their places on "
            f"{shape.out_height}x{shape.out_width} outputs"
        )
    return f"{use}, and what is published does not say why" if row.their_use < MUCH else use


def _here(ours: LayerResult, setup: Setup) -> str:
    measurement, activity, config = ours.measurement, ours.activity, setup.config
    assert measurement is not None
    assert activity is not None
    bound = bound_by(measurement, activity, config, setup.timing)
    if bound is Bound.BANDWIDTH:
        unfolded = ", with the taps of few channels unfolded and whole bus beats" if ours.unfolded else ""
        rate = setup.timing.bytes_per_cycle
        return f"the bus is busy: {measurement.dram_bytes / 1e6:.1f} MB cross it at {rate} bytes per cycle{unfolded}"
    if bound is Bound.COMPUTE:
        lanes = ours.layer.shape.macs / (config.multipliers * measurement.busy)
        share = measurement.busy / measurement.cycles
        return f"a vector enters in {share:.0%} of the cycles, with {lanes:.0%} of the lanes in use"
    return f"bound by {bound}"


def _whole_reason(other: Published, row: Row) -> str:
    parts = [f"there {row.their_use:.0%} of the multipliers are in use, here {row.our_use:.0%}"]
    if other.pooling_milliseconds:
        parts.append(f"pooling takes {other.pooling_milliseconds:.2f} ms of its own there, and none here")
    if other.bits != 8:
        parts.append(f"numbers of {other.bits} bits there are {(other.bits or 0) // 8} times the bytes of those here")
    return "; ".join(parts)


def _cycles(layers: Sequence[LayerResult]) -> int:
    return sum(layer.measurement.cycles for layer in layers if layer.measurement)


def _traffic(other: Published, listener: Listener | None) -> Comparison:
    maps = other.feature_maps
    assert maps is not None
    assert other.bits is not None
    config = AcceleratorConfig()
    setup = Setup("timing", config, MemoryTiming.for_bus(config.bus_bytes))
    result = time_network(find(other.network), setup, list(maps.layers), listener=listener)
    moved = sum(
        layer.measurement.bytes["activations"] + layer.measurement.bytes["results"]
        for layer in result.layers
        if layer.measurement
    )
    return Comparison(
        other, setup, (), Traffic(tuple(maps.layers), other.bits, maps.by_layer, maps.fused, moved * other.bits // 8)
    )
