"""How much memory a network takes, and what crosses the bus: as lectures count it, by explicit im2col, and here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from wingrid.host.compiler.compile_layer import compile_exactly
from wingrid.host.networks.layer import Layer, Pair
from wingrid.host.networks.network import Connect, Convolve, MaxPool, Network
from wingrid.host.reports.traffic import lower_bound_bytes, program_bytes
from wingrid.hw.config import AcceleratorConfig

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Machinery:
    """What a layer costs on the accelerator: its algorithm, bytes over the bus by class, and the least possible.

    ``unfolded`` are vertical and horizontal taps that the host lays out as channels of the input, if it does.
    """

    algorithm: str
    unfolded: Pair | None
    bytes: dict[str, int]
    lower_bound_bytes: int

    @property
    def dram_bytes(self) -> int:
        return sum(self.bytes.values())


@dataclass(frozen=True)
class Row:
    """A node of the network; ``output`` is [channels, height, width] of one image, ``values`` those of the batch.

    ``inputs`` counts the values that a layer takes, ``im2col`` those of the matrix that explicit im2col would make
    of them in memory. Both and ``machinery`` are ``None`` for nodes that are no layer of their own: the input,
    pooling, which belongs to the layer before it, and normalisation, which the host does.
    """

    name: str
    operator: str
    output: tuple[int, int, int]
    values: int
    weights: int = 0
    inputs: int | None = None
    im2col: int | None = None
    machinery: Machinery | None = None


def im2col_values(layer: Layer) -> int:
    """Elements of the matrix with a column for each output pixel, and in it all that its window sees.

    A fully connected layer's input is such a matrix already.
    """
    shape = layer.shape
    taps = shape.kernel[0] * shape.kernel[1]
    return shape.images * shape.channels * taps * shape.out_height * shape.out_width


def footprint(
    network: Network, config: AcceleratorConfig, images: int = 1, algorithm: str | None = None
) -> Iterator[Row]:
    """The rows of the table, in the network's order: its input, and each node that has an output of its own.

    Weights are counted without biases. Layers are compiled for ``algorithm``, or the cheapest. Raises
    ``LayerError`` for what the accelerator cannot take.
    """
    input_size = network.channels, network.height, network.width
    yield Row("input", "input", input_size, images * network.channels * network.height * network.width)
    layers = iter(network.layers(images))
    layer: Layer | None = None
    for node in network.nodes:
        if isinstance(node, Convolve | Connect):
            layer = next(layers)
            yield _layer_row(network, layer, config, images, algorithm)
        else:
            assert layer is not None, "a network's layers refuse what has to follow a convolution and does not"
            operator = "pool" if isinstance(node, MaxPool) else "normalise"
            yield Row(node.name, operator, layer.output_shape[1:], layer.output_bytes)


def _layer_row(network: Network, layer: Layer, config: AcceleratorConfig, images: int, algorithm: str | None) -> Row:
    shape = layer.shape
    connected = layer.operator == "fc"
    output = (shape.kernels, 1, 1) if connected else (shape.kernels, shape.out_height, shape.out_width)
    compiled = compile_exactly(layer, partial(network.operands, layer), config, algorithm)
    return Row(
        layer.name,
        layer.operator,
        output,
        images * output[0] * output[1] * output[2],
        shape.weight_bytes,
        shape.input_bytes,
        im2col_values(layer),
        Machinery(
            compiled.algorithm,
            compiled.unfolding.taps if compiled.unfolding else None,
            program_bytes(compiled.program, config),
            lower_bound_bytes(layer, config.on_chip_bytes),
        ),
    )
