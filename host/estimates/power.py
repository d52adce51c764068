"""Watts at a rate of images, by the parts that take them, and what fetching weights alone takes.

The second is the lecture's calculation: a network of a billion weights, each fetched from DRAM once an image, 20 times
a second, takes 12.8 W at 640 pJ an access (Han et al., ISCA 2016, section 1) before anything is computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from wingrid.host.errors import UserError
from wingrid.host.reports.energy import DRAM_32, buffer_bit_energy
from wingrid.host.reports.report import Report
from wingrid.host.reports.report_table import compact_table

EXAMPLE_WEIGHTS = 10**9
"""Of the lecture's network."""

ON_CHIP_BYTES = 32 << 10
"""Size of the memories that hold the weights if all are on chip: one of the sizes whose energy is cited."""


@dataclass(frozen=True)
class WeightFetch:
    """A way to fetch all weights for an image."""

    what: str
    accesses: float
    """Of 32 bits, for an image."""
    picojoules: float
    """An access."""

    def watts(self, rate: float) -> float:
        """At so many images per second."""
        return self.accesses * self.picojoules * rate / 1e12


def require_rate(rate: float) -> float:
    """Images per second, if they are a number above 0; ``UserError`` otherwise."""
    if not (math.isfinite(rate) and rate > 0):
        raise UserError(f"a rate of {rate:g} images per second must be a number above 0")
    return rate


def power(report: Report, rate: float) -> dict[str, Any] | None:
    """Watts by part at so many images per second, the least clock for it, and the watts of ways to fetch the weights.

    ``None`` if not all layers were estimated, so that nothing is known of an image.
    """
    total, images = report.as_dict()["total"], report.result.images
    energy = total["energy_per_image_uj"]
    if energy is None:
        return None
    return {
        "images_per_second": rate,
        "watts": {name: round(value * rate / 1e6, 6) for name, value in energy.items()},
        "least_clock_mhz": round(total["cycles"] / images * rate / 1e6, 3),
        "weights": [
            {
                "what": fetch.what,
                "accesses_per_image": fetch.accesses,
                "pj_per_access": round(fetch.picojoules, 3),
                "watts": round(fetch.watts(rate), 6),
            }
            for fetch in weight_fetches(report)
        ],
    }


def weight_fetches(report: Report) -> list[WeightFetch]:
    """The lecture's example, and the network's weights as floats, as int8, as the estimate fetches them, on chip."""
    result, name = report.result, report.result.network
    weights = sum(layer.layer.shape.weight_bytes for layer in result.layers)
    moved = report.as_dict()["total"]["bytes"]["weights"] / result.images
    return [
        WeightFetch("a billion weights of 32 bits, from DRAM", EXAMPLE_WEIGHTS, DRAM_32),
        WeightFetch(f"{name} dense, 32 bits a weight, from DRAM", weights, DRAM_32),
        WeightFetch(f"{name} dense, int8, from DRAM", weights / 4, DRAM_32),
        WeightFetch(f"{name} as estimated, with all tiles that are fetched again", moved / 4, DRAM_32),
        WeightFetch(
            f"{name} dense, int8, from memories of {ON_CHIP_BYTES >> 10} KiB on chip",
            weights / 4,
            32 * buffer_bit_energy(ON_CHIP_BYTES),
        ),
    ]


def weight_table(found: dict[str, Any]) -> Table:
    """The ways to fetch the weights, a line each."""
    shown = compact_table(f"Fetching weights alone, at {found['images_per_second']:g} images per second", "weights")
    for name in ("million accesses\nof 32 bits", "pJ each", "W"):
        shown.add_column(name, justify="right", no_wrap=True)
    for fetch in found["weights"]:
        accesses = f"{fetch['accesses_per_image'] / 1e6:,.1f}"
        shown.add_row(fetch["what"], accesses, f"{fetch['pj_per_access']:g}", f"{fetch['watts']:.3f}")
    return shown


def power_lines(report: Report, found: dict[str, Any]) -> Iterator[str]:
    """Watts by part in a sentence, and whether the clock that is known is fast enough."""
    watts = found["watts"]
    yield (
        f"At {found['images_per_second']:g} images per second {watts['total']:.3g} W: {watts['multiply_add']:.3g} "
        f"multiply-add, {watts['buffers']:.3g} buffers, {watts['dram']:.3g} DRAM (45 nm, without what the model leaves "
        f"out)."
    )
    least, clock = found["least_clock_mhz"], report.result.setup.clock
    if clock.mhz is not None and clock.mhz < least:
        yield f"That takes a clock of {least:,.1f} MHz: {clock} is too slow for it."
    else:
        yield f"That takes a clock of {least:,.1f} MHz at least."
