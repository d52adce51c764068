"""Where a layer's program and tensors lie in external memory."""

from __future__ import annotations

from dataclasses import dataclass

from host.blocking import Blocking
from host.layers import LayerError
from hw.config import ADDRESS_BITS, AXI_PAGE_BYTES, INSTRUCTION_BYTES, AcceleratorConfig
from hw.isa import PARAMETER_BYTES


@dataclass(frozen=True)
class MemoryMap:
    """Byte addresses of the regions, each a multiple of 4096, and the ``size`` of all of them.

    The program comes last, as its length is only known once everything else has its place.
    """

    weights: int
    parameters: int
    inputs: int
    outputs: int
    program: int
    bus_bytes: int

    @classmethod
    def of(cls, blocking: Blocking, config: AcceleratorConfig) -> MemoryMap:
        """Lay out everything but the program. Raises ``LayerError`` if it does not fit into the address space."""
        shape, bus = blocking.shape, config.bus_bytes
        sizes = (
            blocking.first_tile[-1] * config.rows * bus,
            blocking.output_blocks * PARAMETER_BYTES * bus,
            shape.images * blocking.input_blocks * shape.height * shape.width * bus,
            shape.images * blocking.output_blocks * shape.out_height * shape.out_width * bus,
        )
        addresses = [0]
        for size in sizes:
            addresses.append(_page_after(addresses[-1] + size))
        if addresses[-1] >= 1 << ADDRESS_BITS:
            raise LayerError(
                f"the layer's tensors take {sum(sizes)} bytes, more than {ADDRESS_BITS} address bits reach"
            )
        weights, parameters, inputs, outputs, program = addresses
        return cls(weights, parameters, inputs, outputs, program, bus)

    def size(self, instructions: int) -> int:
        """Bytes of memory from address 0 to the end of a program of that length."""
        size = _page_after(self.program + instructions * INSTRUCTION_BYTES)
        if size > 1 << ADDRESS_BITS:
            raise LayerError(f"the layer's tensors and program take {size} bytes, more than addresses reach")
        return size


def _page_after(address: int) -> int:
    return -(-address // AXI_PAGE_BYTES) * AXI_PAGE_BYTES
