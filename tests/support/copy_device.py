"""A small device with the accelerator's ports that copies memory, for testing the RTL harness by itself."""

from __future__ import annotations

import enum

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from wingrid.hw.registers import REGISTER_ADDRESS_BITS

ADDRESS_BITS = 32


def bus_members(bus_bytes: int) -> dict[str, wiring.Member]:
    """The accelerator's outer ports: AXI4 master, AXI4-Lite slave, interrupt."""
    address = {"addr": Out(ADDRESS_BITS), "prot": Out(3), "valid": Out(1), "ready": In(1)}
    request = {"id": Out(1), "len": Out(8), "size": Out(3), "burst": Out(2), "cache": Out(4), **address}
    members: dict[str, wiring.Member] = {"interrupt": Out(1)}
    members |= {f"m_axi_{channel}{name}": member for channel in ("ar", "aw") for name, member in request.items()}
    members |= {
        "m_axi_wdata": Out(8 * bus_bytes),
        "m_axi_wstrb": Out(bus_bytes),
        "m_axi_wlast": Out(1),
        "m_axi_wvalid": Out(1),
        "m_axi_wready": In(1),
        "m_axi_rid": In(1),
        "m_axi_rdata": In(8 * bus_bytes),
        "m_axi_rresp": In(2),
        "m_axi_rlast": In(1),
        "m_axi_rvalid": In(1),
        "m_axi_rready": Out(1),
        "m_axi_bid": In(1),
        "m_axi_bresp": In(2),
        "m_axi_bvalid": In(1),
        "m_axi_bready": Out(1),
    }
    for channel in ("ar", "aw"):
        members |= {
            f"s_axil_{channel}addr": In(REGISTER_ADDRESS_BITS),
            f"s_axil_{channel}prot": In(3),
            f"s_axil_{channel}valid": In(1),
            f"s_axil_{channel}ready": Out(1),
        }
    members |= {
        "s_axil_wdata": In(32),
        "s_axil_wstrb": In(4),
        "s_axil_wvalid": In(1),
        "s_axil_wready": Out(1),
        "s_axil_bresp": Out(2),
        "s_axil_bvalid": Out(1),
        "s_axil_bready": In(1),
        "s_axil_rdata": Out(32),
        "s_axil_rresp": Out(2),
        "s_axil_rvalid": Out(1),
        "s_axil_rready": In(1),
    }
    return members


class CopyRegister(enum.IntEnum):
    """Word addresses of the registers; a read or write beyond them is answered with SLVERR."""

    CONTROL = 0
    """A write starts a copy and ends the interrupt."""
    STATUS = 1
    """The bitwise OR of all read responses (bits 1..0) and write responses (bits 3..2)."""
    SOURCE = 2
    DESTINATION = 3
    BURSTS = 4
    """Number of bursts to copy; 0 makes the device wait forever."""
    BEATS = 5
    """Beats of each burst."""
    READS_IN_FLIGHT = 6
    READ_STALL = 7
    """RREADY is low in cycles in whose number one of these bits is set."""
    WRITE_STALL = 8
    """The same for BREADY."""
    DATA_FIRST = 9
    """1: a burst's data are sent before its address."""
    FALSE_LENGTH = 10
    """Added to the length that a write announces; any value but 0 is a fault of protocol."""
    NOISE = 11
    """A register that reset leaves alone."""


class CopyDevice(wiring.Component):
    """Read ``BURSTS`` bursts of ``BEATS`` beats from ``SOURCE``, write each to ``DESTINATION``, interrupt.

    A burst is written as soon as it is complete, so that reads and writes meet on the memory's bus. At
    most ``depth`` beats in all.
    """

    def __init__(self, bus_bytes: int, depth: int = 256) -> None:
        self.bus_bytes = bus_bytes
        self.depth = depth
        super().__init__(bus_members(bus_bytes))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        register = {
            item: Signal(32, name=item.name.lower(), reset_less=item is CopyRegister.NOISE) for item in CopyRegister
        }
        start, running = Signal(), Signal()
        cycle = Signal(8)
        requested, arrived, sent, answered = (
            Signal(32, name=name) for name in ("requested", "arrived", "sent", "answered")
        )
        read_address, write_address, burst_bytes = Signal(32), Signal(32), Signal(32)
        stored, fetched = Signal(range(self.depth)), Signal(range(self.depth))
        beat = Signal(32)
        address_done, data_done = Signal(), Signal()

        m.submodules.buffer = buffer = Memory(shape=8 * self.bus_bytes, depth=self.depth, init=[])
        store, fetch = buffer.write_port(), buffer.read_port(domain="comb")
        size = (self.bus_bytes - 1).bit_length()
        status, beats, bursts = (register[CopyRegister[name]] for name in ("STATUS", "BEATS", "BURSTS"))
        m.d.comb += [
            burst_bytes.eq(beats * self.bus_bytes),
            self.m_axi_araddr.eq(read_address),
            self.m_axi_arlen.eq(beats - 1),
            self.m_axi_arsize.eq(size),
            self.m_axi_arburst.eq(1),
            self.m_axi_arvalid.eq(
                running & (requested != bursts) & (requested - arrived < register[CopyRegister.READS_IN_FLIGHT])
            ),
            self.m_axi_rready.eq((cycle & register[CopyRegister.READ_STALL]) == 0),
            store.addr.eq(stored),
            store.data.eq(self.m_axi_rdata),
            store.en.eq(self.m_axi_rvalid & self.m_axi_rready),
            fetch.addr.eq(fetched),
            self.m_axi_awaddr.eq(write_address),
            self.m_axi_awlen.eq(beats - 1 + register[CopyRegister.FALSE_LENGTH]),
            self.m_axi_awsize.eq(size),
            self.m_axi_awburst.eq(1),
            self.m_axi_awvalid.eq(
                (sent != arrived) & ~address_done & (data_done | ~register[CopyRegister.DATA_FIRST][0])
            ),
            self.m_axi_wdata.eq(fetch.data),
            self.m_axi_wstrb.eq(~0),
            self.m_axi_wlast.eq(beat == beats - 1),
            self.m_axi_wvalid.eq((sent != arrived) & ~data_done),
            self.m_axi_bready.eq((cycle & register[CopyRegister.WRITE_STALL]) == 0),
        ]
        m.d.sync += cycle.eq(cycle + 1)
        self._registers(m, register, start)
        with m.If(self.m_axi_arvalid & self.m_axi_arready):
            m.d.sync += [requested.eq(requested + 1), read_address.eq(read_address + burst_bytes)]
        with m.If(store.en):
            m.d.sync += [stored.eq(stored + 1), status[0:2].eq(status[0:2] | self.m_axi_rresp)]
            with m.If(self.m_axi_rlast):
                m.d.sync += arrived.eq(arrived + 1)
        with m.If(self.m_axi_awvalid & self.m_axi_awready):
            m.d.sync += address_done.eq(1)
        with m.If(self.m_axi_wvalid & self.m_axi_wready):
            m.d.sync += [beat.eq(beat + 1), fetched.eq(fetched + 1), data_done.eq(self.m_axi_wlast)]
        with m.If(address_done & data_done):
            m.d.sync += [address_done.eq(0), data_done.eq(0), beat.eq(0), sent.eq(sent + 1)]
            m.d.sync += write_address.eq(write_address + burst_bytes)
        with m.If(self.m_axi_bvalid & self.m_axi_bready):
            m.d.sync += [answered.eq(answered + 1), status[2:4].eq(status[2:4] | self.m_axi_bresp)]
        with m.If(running & (bursts != 0) & (answered == bursts)):
            m.d.sync += [running.eq(0), self.interrupt.eq(1)]
        with m.If(start):
            m.d.sync += [counter.eq(0) for counter in (requested, arrived, sent, answered, stored, fetched, status)]
            m.d.sync += [running.eq(1), self.interrupt.eq(0)]
            m.d.sync += read_address.eq(register[CopyRegister.SOURCE])
            m.d.sync += write_address.eq(register[CopyRegister.DESTINATION])
        return m

    def _registers(self, m: Module, register: dict[CopyRegister, Signal], start: Signal) -> None:
        taken = Signal()
        m.d.comb += [
            taken.eq(self.s_axil_awvalid & self.s_axil_wvalid & ~self.s_axil_bvalid),
            self.s_axil_awready.eq(taken),
            self.s_axil_wready.eq(taken),
            self.s_axil_arready.eq(~self.s_axil_rvalid),
        ]
        with m.If(self.s_axil_bvalid & self.s_axil_bready):
            m.d.sync += self.s_axil_bvalid.eq(0)
        with m.If(taken):
            m.d.sync += [self.s_axil_bvalid.eq(1), self.s_axil_bresp.eq(2)]
            for item, signal in register.items():
                with m.If(self.s_axil_awaddr == 4 * item):
                    m.d.sync += [signal.eq(self.s_axil_wdata), self.s_axil_bresp.eq(0)]
                    if item is CopyRegister.CONTROL:
                        m.d.comb += start.eq(1)
        with m.If(self.s_axil_rvalid & self.s_axil_rready):
            m.d.sync += self.s_axil_rvalid.eq(0)
        with m.If(self.s_axil_arvalid & self.s_axil_arready):
            m.d.sync += [self.s_axil_rvalid.eq(1), self.s_axil_rresp.eq(2), self.s_axil_rdata.eq(0)]
            for item, signal in register.items():
                with m.If(self.s_axil_araddr == 4 * item):
                    m.d.sync += [self.s_axil_rdata.eq(signal), self.s_axil_rresp.eq(0)]
