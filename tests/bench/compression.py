"""The published compression of VGG-16 against what its real convolutions give; exits with 1 beyond the bounds.

python -m tests.bench.compression
"""

from __future__ import annotations

import sys

from wingrid.host.commands.progress import Bar
from wingrid.host.compression.vgg16_table import vgg16_table
from wingrid.host.compression.vgg16_table_output import footnotes, table
from wingrid.host.onnx_models.bundled import fetched_model
from wingrid.host.onnx_models.fetching import fetch_vgg16
from wingrid.host.reports.output import show

INDEX_BITS, POINTS = 0.1, 0.4
"""How far index bits, and rates in per cent, of a convolution may be from the printed ones."""


def main() -> int:
    if not fetched_model().exists():
        fetch_vgg16()
    with Bar("compressing") as bar:
        rows = vgg16_table(bar)
    show([table(rows)], footnotes(rows))
    beyond = [
        row.published.name
        for row in rows
        if row.published.is_convolution
        and (
            abs(row.measured.index_bits_huffman - row.published.index_bits_huffman) > INDEX_BITS
            or abs(row.measured.rate_huffman - row.published.rate_huffman) > POINTS
        )
    ]
    for name in beyond:
        print(f"{name} is not within {INDEX_BITS} bit of index and {POINTS} points of rate")
    return bool(beyond)


if __name__ == "__main__":
    sys.exit(main())
