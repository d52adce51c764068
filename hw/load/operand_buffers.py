"""The input, weight and parameter buffers, and the addresses of one that is used as a ring."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import Buffer
from wingrid.hw.load.deep_memory import DeepMemory

BUFFER_ADDRESS_BITS = 20
"""Width of an entry's address in any buffer (the largest that the configuration allows)."""


class _Writes(NamedTuple):
    """The write ports as the memories have them."""

    enable: Signal
    address: Signal
    data: Signal


class OperandBuffers(wiring.Component):
    """Three memories that the load engine writes, each read by one engine through a port of its own.

    Where there are sparse lanes, each byte of the input buffer's entries is a memory of its own, with an address of its
    own.

    An entry of a buffer is the first bytes of a beat. It can be asked for one cycle after it is written; what is asked
    for in the same cycle is unknown. Registers stand before both ports of each memory and one behind it, since block
    RAM takes long to answer and lies far from what writes and reads it.

    Members
    -------
    write_enable : In, len(Buffer)
        A bit for each ``Buffer``; what is for others is kept elsewhere.
    write_address : In, BUFFER_ADDRESS_BITS
        The entry; bits beyond a buffer's own address are ignored.
    write_data : In, 8 * bus_bytes
    input_enable : In, 1
        Asks for an entry of the input buffer; ``read_latency`` cycles after it is low, ``input_data`` holds.
    input_addresses : In, OperandBuffers.banks_for(config) x range(input_buffer)
        The entry; with sparse lanes, one for each of its bytes.
    input_data : Out, 8 * rows
        The entry, ``read_latency`` cycles after its address, as for the other two buffers.
    weight_enable : In, 1
        Asks for an entry of the weight buffer; ``read_latency`` cycles after it is low, ``weight_data`` holds.
    weight_address : In, range(weight_buffer)
    weight_data : Out, 8 * weight_lanes
    parameter_address : In, range(parameter_entries)
        The parameter buffer is read in every cycle.
    parameter_data : Out, 8 * cols
    """

    read_latency = 1 + DeepMemory.read_latency
    """Cycles from an address to its data: its register, and the memory's own."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "write_enable": In(len(Buffer)),
                "write_address": In(BUFFER_ADDRESS_BITS),
                "write_data": In(8 * config.bus_bytes),
                "input_enable": In(1),
                "input_addresses": In(data.ArrayLayout(range(config.input_buffer), self.banks_for(config))),
                "input_data": Out(8 * config.rows),
                "weight_enable": In(1),
                "weight_address": In(range(config.weight_buffer)),
                "weight_data": Out(8 * config.weight_lanes),
                "parameter_address": In(range(config.parameter_entries)),
                "parameter_data": Out(8 * config.cols),
            }
        )

    @staticmethod
    def banks_for(config: AcceleratorConfig) -> int:
        """Memories that the input buffer consists of."""
        return config.rows if config.sparse else 1

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        writes = _Writes(
            Signal.like(self.write_enable, name="written"),
            Signal.like(self.write_address, name="written_address", reset_less=True),
            Signal.like(self.write_data, name="written_data", reset_less=True),
        )
        given = (self.write_enable, self.write_address, self.write_data)
        m.d.sync += [register.eq(value) for register, value in zip(writes, given, strict=True)]
        banks = self.banks_for(config)
        width = 8 * config.rows // banks
        for bank, address in enumerate(self.input_addresses):
            name = f"inputs_{bank}" if config.sparse else "inputs"
            content = self.input_data.word_select(bank, width)
            self._memory(
                m, writes, name, Buffer.INPUTS, config.input_buffer, address, content, self.input_enable, bank * width
            )
        self._memory(
            m,
            writes,
            "weights",
            Buffer.WEIGHTS,
            config.weight_buffer,
            self.weight_address,
            self.weight_data,
            self.weight_enable,
        )
        self._memory(
            m,
            writes,
            "parameters",
            Buffer.PARAMETERS,
            config.parameter_entries,
            self.parameter_address,
            self.parameter_data,
            Const(1),
        )
        return m

    def _memory(
        self,
        m: Module,
        writes: _Writes,
        name: str,
        buffer: Buffer,
        depth: int,
        address: Value,
        content: Value,
        enable: Value,
        low: int = 0,
    ) -> None:
        """A memory for the bits of each beat for ``buffer`` from ``low`` on, as many as ``content`` has."""
        m.submodules[name] = memory = DeepMemory(content.shape(), depth)
        entry = Signal.like(memory.read_address, name=f"{name}_address", reset_less=True)
        asked = Signal(name=f"{name}_asked")
        m.d.sync += [entry.eq(address), asked.eq(enable)]
        m.d.comb += [
            memory.write_enable.eq(writes.enable[buffer.value]),
            memory.write_address.eq(writes.address),
            memory.write_data.eq(writes.data[low:]),
            memory.read_enable.eq(asked),
            memory.read_address.eq(entry),
            content.eq(memory.read_data),
        ]


def next_entry(entry: Value, depth: int) -> Value:
    """The entry after ``entry`` in a ring of ``depth`` entries, which need not be a power of two."""
    return Mux(entry == depth - 1, 0, entry + 1)
