"""The accelerator's DMA by itself: both halves of the bus master with what stands before them, ports outside."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from wingrid.hw.bus import axi
from wingrid.hw.bus.read_master import ReadMaster, read_beat, read_request
from wingrid.hw.bus.write_master import WriteMaster
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.fetch_engine import dispatched
from wingrid.hw.isa import PC_BITS, Buffer, Load, Semaphore
from wingrid.hw.load.load_engine import LoadEngine
from wingrid.hw.load.operand_buffers import BUFFER_ADDRESS_BITS
from wingrid.hw.store.output_buffer import SEGMENT, OutputBuffer
from wingrid.hw.store.requantiser import results_layout


class DmaDevice(wiring.Component):
    """Load engine and read master, output buffer and write master, wired as in the accelerator's core.

    Everything that another part of the core does is a port: decoded LOADs, semaphores, the fetch engine's requests,
    writes to the buffers, segments and requantised results, halt.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                **axi.flat("m_axi", axi.read_channels(config)),
                **axi.flat("m_axi", axi.write_channels(config)),
                "instruction": In(stream.Signature(dispatched(Load))),
                "available": In(len(Semaphore)),
                "take": Out(len(Semaphore)),
                "signal": Out(len(Semaphore)),
                "fetch": In(stream.Signature(read_request(config))),
                "fetch_beat": Out(read_beat(config)),
                "write_enable": Out(len(Buffer)),
                "write_address": Out(BUFFER_ADDRESS_BITS),
                "write_data": Out(8 * config.bus_bytes),
                "segment": In(stream.Signature(SEGMENT)),
                "results": In(results_layout(config)),
                "base": In(config.address_bits),
                "halt": In(1),
                "read_idle": Out(1),
                "load_idle": Out(1),
                "read_error": Out(1),
                "read_error_pc": Out(PC_BITS),
                "placed": Out(1),
                "requested": Out(1),
                "write_idle": Out(1),
                "write_quiet": Out(1),
                "write_error": Out(1),
                "write_error_pc": Out(PC_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.reader = reader = ReadMaster(self._config)
        m.submodules.load = load = LoadEngine(self._config)
        m.submodules.output_buffer = output_buffer = OutputBuffer(self._config)
        m.submodules.writer = writer = WriteMaster(self._config)

        axi.connect_flat(m, self, "m_axi", reader.bus, axi.read_channels(self._config))
        connect(m, flipped(self.fetch), reader.fetch)
        connect(m, load.request, reader.load)
        connect(m, flipped(self.instruction), load.instruction)
        m.d.comb += [
            load.beat.eq(reader.load_beat),
            load.available.eq(self.available),
            self.take.eq(load.take),
            self.signal.eq(load.signal),
            self.fetch_beat.eq(reader.fetch_beat),
            self.write_enable.eq(load.write_enable),
            self.write_address.eq(load.write_address),
            self.write_data.eq(load.write_data),
            self.read_idle.eq(reader.idle),
            self.load_idle.eq(load.idle),
            self.read_error.eq(load.error),
            self.read_error_pc.eq(load.error_pc),
        ]

        axi.connect_flat(m, self, "m_axi", writer.bus, axi.write_channels(self._config))
        connect(m, flipped(self.segment), output_buffer.segment)
        connect(m, output_buffer.request, writer.request)
        m.d.comb += [
            output_buffer.results.eq(self.results),
            writer.beat.eq(output_buffer.beat),
            output_buffer.read_next.eq(writer.read_next),
            output_buffer.released.eq(writer.released),
            output_buffer.released_beats.eq(writer.released_beats),
            self.placed.eq(output_buffer.placed),
            self.requested.eq(output_buffer.idle),
            self.write_idle.eq(writer.idle),
            self.write_quiet.eq(writer.quiet),
            self.write_error.eq(writer.error),
            self.write_error_pc.eq(writer.error_pc),
        ]
        m.d.comb += [unit.halt.eq(self.halt) for unit in (reader, load, writer)]
        m.d.comb += [unit.base.eq(self.base) for unit in (load, output_buffer)]
        return m
