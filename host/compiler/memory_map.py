"""Where a layer's program and tensors lie in external memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

from wingrid.host.compiler.blocking import Blocking
from wingrid.host.networks.layer import Layer, LayerError, Lookup, Surface
from wingrid.hw.config import AXI_PAGE_BYTES, INSTRUCTION_BYTES, OFFSET_BITS, TABLE_ENTRIES, AcceleratorConfig
from wingrid.hw.isa import PARAMETER_BYTES


def activation_bytes(shape: tuple[int, int, int, int], lanes: int, config: AcceleratorConfig) -> int:
    """Bytes that activations [images, channels, height, width] take in blocks of ``lanes`` channels."""
    images, channels, height, width = shape
    return images * math.ceil(channels / lanes) * height * width * config.bus_bytes


def output_bytes(layer: Layer, blocking: Blocking, config: AcceleratorConfig) -> int:
    """Bytes that a layer's output blocks take, with what lies between its results."""
    (images, kernels, *_), spread = blocking.output_shape, surface_of(layer, blocking)
    return activation_bytes((images, kernels, spread.height, spread.width), config.cols, config)


def surface_of(layer: Layer, blocking: Blocking) -> Surface:
    """The pixels among which its results lie in memory."""
    return layer.surface or Surface(*blocking.output_size)


def weight_bytes(blocking: Blocking, config: AcceleratorConfig) -> int:
    """Bytes that a layer's weight tiles take, as ``pack_weights`` leaves them."""
    return blocking.first_tile[-1] * config.rows * config.bus_bytes


def parameter_bytes(blocking: Blocking, config: AcceleratorConfig) -> int:
    """Bytes that a layer's parameters take, as ``pack_parameters`` leaves them."""
    return blocking.output_blocks * PARAMETER_BYTES * config.bus_bytes


def table_bytes(layer: Layer, blocking: Blocking, config: AcceleratorConfig) -> int:
    """Bytes that a layer's tables take, as ``pack_tables`` leaves them; 0 for a layer that looks nothing up."""
    return layer_tables(layer, blocking) * TABLE_ENTRIES * config.bus_bytes


def layer_tables(layer: Layer, blocking: Blocking) -> int:
    """How many tables a layer has, each for a block of output channels or for all of them."""
    return {None: 0, Lookup.LAYER: 1, Lookup.CHANNEL: blocking.output_blocks}[layer.lookup]


def require_reachable(layer: Layer, config: AcceleratorConfig) -> None:
    """Raise ``LayerError`` for a layer so large that the accelerator cannot address what it takes and leaves.

    For those who would make its tensors, before they do: whether it fits to the last byte turns out when it is
    compiled.
    """
    shape = layer.shape
    taken = (shape.images, shape.channels, shape.height, shape.width)
    least = activation_bytes(taken, config.rows, config) + activation_bytes(layer.output_shape, config.cols, config)
    least += shape.weight_bytes
    if least >= 1 << OFFSET_BITS:
        raise LayerError(
            f"layer {layer.name}: its tensors take {least} bytes or more, more than {OFFSET_BITS} address bits reach"
        )


@dataclass(frozen=True)
class Place:
    """Where a layer that shares its memory with others finds its input, puts its output, and may put the rest.

    Byte addresses, multiples of 4096.
    """

    inputs: int
    outputs: int
    rest: int
    addends: int = 0
    """Of a layer that combines its results with a tensor: where that lies."""


@dataclass(frozen=True)
class MemoryMap:
    """Byte addresses of the regions, each a multiple of 4096, and the ``size`` of all of them.

    The program comes last, as its length is only known once everything else has its place.
    """

    weights: int
    parameters: int
    tables: int
    inputs: int
    addends: int
    outputs: int
    program: int
    bus_bytes: int

    @classmethod
    def of(
        cls,
        layer: Layer,
        blocking: Blocking,
        config: AcceleratorConfig,
        place: Place | None = None,
        *,
        stream_bytes: int | None = None,
    ) -> MemoryMap:
        """Lay out everything but the program, from address 0 or as ``place`` says.

        ``stream_bytes`` is the size of weights that are streams.
        Raises ``LayerError`` if it does not fit into the address space.
        """
        bus = config.bus_bytes
        sizes = [
            weight_bytes(blocking, config) if stream_bytes is None else stream_bytes,
            parameter_bytes(blocking, config),
            table_bytes(layer, blocking, config),
        ]
        if place is None:
            sizes.append(activation_bytes(blocking.input_shape, config.rows, config))
            sizes.append(activation_bytes(layer.addend_shape, config.cols, config) if layer.combination else 0)
            sizes.append(output_bytes(layer, blocking, config))
        addresses = [place.rest if place else 0]
        for size in sizes:
            addresses.append(page_after(addresses[-1] + size))
        if addresses[-1] >= 1 << OFFSET_BITS:
            raise LayerError(
                f"the layer's tensors take {addresses[-1]} bytes, more than {OFFSET_BITS} address bits reach"
            )
        weights, parameters, tables, *activations, program = addresses
        inputs, addends, outputs = (place.inputs, place.addends, place.outputs) if place else activations
        return cls(weights, parameters, tables, inputs, addends, outputs, program, bus)

    def size(self, instructions: int) -> int:
        """Bytes of memory from address 0 to the end of a program of that length."""
        size = page_after(self.program + instructions * INSTRUCTION_BYTES)
        if size > 1 << OFFSET_BITS:
            raise LayerError(f"the layer's tensors and program take {size} bytes, more than addresses reach")
        return size


def page_after(address: int) -> int:
    """The next multiple of 4096."""
    return -(-address // AXI_PAGE_BYTES) * AXI_PAGE_BYTES
