"""The published compression of VGG-16: Han, Mao and Dally, "Deep Compression" (ICLR 2016), table 5, as printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedRow:
    """A layer as printed; rates are per cent of 32 bits a weight."""

    name: str
    weights: int
    density: float
    """P: of the weights, those that stay; printed to a whole per cent."""
    value_bits: int
    """Of an entry of the codebook: P+Q."""
    value_bits_huffman: float
    index_bits: int
    index_bits_huffman: float
    rate: float
    """P+Q."""
    rate_huffman: float
    """P+Q+H."""

    @property
    def is_convolution(self) -> bool:
        """Whether it is one of the 13."""
        return self.name.startswith("conv")


VGG16_ROWS = (
    PublishedRow("conv1_1", 1_728, 0.58, 8, 6.8, 5, 1.7, 40.0, 29.97),
    PublishedRow("conv1_2", 36_864, 0.22, 8, 6.5, 5, 2.6, 9.8, 6.99),
    PublishedRow("conv2_1", 73_728, 0.34, 8, 5.6, 5, 2.4, 14.3, 8.91),
    PublishedRow("conv2_2", 147_456, 0.36, 8, 5.9, 5, 2.3, 14.7, 9.31),
    PublishedRow("conv3_1", 294_912, 0.53, 8, 4.8, 5, 1.8, 21.7, 11.15),
    PublishedRow("conv3_2", 589_824, 0.24, 8, 4.6, 5, 2.9, 9.7, 5.67),
    PublishedRow("conv3_3", 589_824, 0.42, 8, 4.6, 5, 2.2, 17.0, 8.96),
    PublishedRow("conv4_1", 1_179_648, 0.32, 8, 4.6, 5, 2.6, 13.1, 7.29),
    PublishedRow("conv4_2", 2_359_296, 0.27, 8, 4.2, 5, 2.9, 10.9, 5.93),
    PublishedRow("conv4_3", 2_359_296, 0.34, 8, 4.4, 5, 2.5, 14.0, 7.47),
    PublishedRow("conv5_1", 2_359_296, 0.35, 8, 4.7, 5, 2.5, 14.3, 8.00),
    PublishedRow("conv5_2", 2_359_296, 0.29, 8, 4.6, 5, 2.7, 11.7, 6.52),
    PublishedRow("conv5_3", 2_359_296, 0.36, 8, 4.6, 5, 2.3, 14.8, 7.79),
    PublishedRow("fc6", 102_760_448, 0.04, 5, 3.6, 5, 3.5, 1.6, 1.10),
    PublishedRow("fc7", 16_777_216, 0.04, 5, 4.0, 5, 4.3, 1.5, 1.25),
    PublishedRow("fc8", 4_096_000, 0.23, 5, 4.0, 5, 3.4, 7.1, 5.24),
)

PRINTED_TOTAL_RATE = 3.2
PRINTED_TOTAL_RATE_HUFFMAN = 2.05
PRINTED_TOTAL_DENSITY = 0.075
"""What the table's last line says; its rows, weighted by their weights, add up to something else."""
