"""Area of arrays of many shapes on each family of chips, for the model that predicts those between them.

    python -m tests.bench.area_points [--family ecp5]

Each array is synthesised by yosys: some minutes each. What was done before comes from the cache. The points go into
``host/silicon/area_points.json`` as they are found, each in the place of an earlier one for the same.
"""

from __future__ import annotations

import argparse
import sys

from wingrid.host.commands.progress import Bar
from wingrid.host.files import write_whole
from wingrid.host.silicon import area_points
from wingrid.host.silicon.area_points import AreaPoint
from wingrid.host.silicon.synth import synthesised
from wingrid.host.silicon.synthesis import YOSYS
from wingrid.host.silicon.target import find_target
from wingrid.host.silicon.yowasp import identity
from wingrid.hw.config import AcceleratorConfig

CHIPS = {"ecp5": "ecp5-85k", "xc7": "xc7a200t", "xcup": "xczu9eg"}
"""A chip of each family; which one makes no difference to synthesis."""

FOUR = [(4, 4), (8, 8), (4, 8), (8, 4)]
SHAPES = {
    "ecp5": {tile: [*FOUR, (2, 2)] for tile in (4, 0, 2)},
    "xc7": {4: [*FOUR, (16, 16)], 0: FOUR, 2: FOUR},
    "xcup": {4: [*FOUR, (2, 2)], 0: FOUR},
}
"""Rows and columns by family and largest Winograd tile; the buffers are the default ones."""
BUFFERS = {"input_buffer": 2048, "weight_buffer": 1152, "accumulators": 256, "parameter_blocks": 16}
"""What small chips have room for: each of these fields once on a 4x4 with F(4x4)."""


def configurations(family: str) -> list[AcceleratorConfig]:
    """Those that are synthesised for a family."""
    shapes = [(rows, cols, tile) for tile, sizes in SHAPES[family].items() for rows, cols in sizes]
    small = AcceleratorConfig(rows=4, cols=4, winograd=4)
    return [
        *(AcceleratorConfig(rows=rows, cols=cols, winograd=tile) for rows, cols, tile in shapes),
        small.override(f"{name}={value}" for name, value in BUFFERS.items()),
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--family", choices=CHIPS, help="only this one")
    options = parser.parse_args(arguments)
    points = {(point.family, point.config): point for point in area_points.read()}
    for family, chip in CHIPS.items():
        for config in configurations(family) if options.family in (None, family) else ():
            with Bar(family) as bar:
                found = synthesised(config, find_target(chip), says=bar.says)
            points[family, config] = AreaPoint(family, config, found.total.counts, identity(YOSYS))
            write_whole(area_points.SHIPPED, area_points.as_text(points.values()).encode())
            print(family, config.rows, config.cols, config.winograd, dict(found.total.counts), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
