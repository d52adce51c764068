"""The input, weight and parameter buffers, and the addresses of one that is used as a ring."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import Buffer
from wingrid.hw.ram_style import RamStyle

BUFFER_ADDRESS_BITS = 20
"""Width of an entry's address in any buffer (the largest that the configuration allows)."""


class OperandBuffers(wiring.Component):
    """Three memories that the load engine writes, each read by one engine through a port of its own.

    An entry of a buffer is the first bytes of a beat. What is written in one cycle can be read in the next; what
    is read in the same cycle is unknown. A register stands behind each memory, since block RAM takes long to answer and
    lies far from what reads it.

    Members
    -------
    write_enable : In, len(Buffer)
        A bit for each ``Buffer``.
    write_address : In, BUFFER_ADDRESS_BITS
        The entry; bits beyond a buffer's own address are ignored.
    write_data : In, 8 * bus_bytes
    input_enable : In, 1
        Asks for an entry of the input buffer; a cycle after it is low, ``input_data`` holds.
    input_address : In, range(input_buffer)
    input_data : Out, 8 * rows
        The entry, ``read_latency`` cycles after its address, as for the other two buffers.
    weight_enable : In, 1
        Asks for an entry of the weight buffer; a cycle after it is low, ``weight_data`` holds.
    weight_address : In, range(weight_buffer)
    weight_data : Out, 8 * cols
    parameter_address : In, range(parameter_entries)
        The parameter buffer is read in every cycle.
    parameter_data : Out, 8 * cols
    """

    read_latency = 2
    """Cycles from an address to its data: the memory and its output register."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "write_enable": In(len(Buffer)),
                "write_address": In(BUFFER_ADDRESS_BITS),
                "write_data": In(8 * config.bus_bytes),
                "input_enable": In(1),
                "input_address": In(range(config.input_buffer)),
                "input_data": Out(8 * config.rows),
                "weight_enable": In(1),
                "weight_address": In(range(config.weight_buffer)),
                "weight_data": Out(8 * config.cols),
                "parameter_address": In(range(config.parameter_entries)),
                "parameter_data": Out(8 * config.cols),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        depths = {
            Buffer.INPUTS: config.input_buffer,
            Buffer.WEIGHTS: config.weight_buffer,
            Buffer.PARAMETERS: config.parameter_entries,
        }
        read_ports = {
            Buffer.INPUTS: (self.input_address, self.input_data, self.input_enable),
            Buffer.WEIGHTS: (self.weight_address, self.weight_data, self.weight_enable),
            Buffer.PARAMETERS: (self.parameter_address, self.parameter_data, None),
        }
        for buffer, (address, content, enable) in read_ports.items():
            memory = Memory(shape=content.shape(), depth=depths[buffer], init=[], attrs=RamStyle.BLOCK.without_bypass)
            m.submodules[buffer.name.lower()] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(self.write_address),
                write.data.eq(self.write_data),
                write.en.eq(self.write_enable[buffer.value]),
                read.addr.eq(address),
            ]
            output = Signal(content.shape(), name=f"{buffer.name.lower()}_output", reset_less=True)
            m.d.sync += output.eq(read.data)
            m.d.comb += content.eq(output)
            if enable is not None:
                m.d.comb += read.en.eq(enable)
        return m


def next_entry(entry: Value, depth: int) -> Value:
    """The entry after ``entry`` in a ring of ``depth`` entries, which need not be a power of two."""
    return Mux(entry == depth - 1, 0, entry + 1)
