"""Rules of AMBA AXI (IHI 0022E) as hardware: what a master must do, and what it may expect of its slave."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from rules import past

from wingrid.hw.bus import axi
from wingrid.hw.config import AXI_PAGE_BYTES, INSTRUCTION_BYTES, AcceleratorConfig


def burst_is_legal(config: AcceleratorConfig, address: Value, beats: Value) -> Value:
    """A burst of ``beats`` whole beats at an aligned address, no longer than configured, within a page (A3.4.1)."""
    most = max(config.burst_beats, INSTRUCTION_BYTES // config.bus_bytes)
    alignment = (config.bus_bytes - 1).bit_length()
    page_bits = (AXI_PAGE_BYTES - 1).bit_length()
    first = address[alignment:page_bits]
    return (
        (address[:alignment] == 0)
        & (beats >= 1)
        & (beats <= most)
        & (first + beats <= AXI_PAGE_BYTES // config.bus_bytes)
    )


def address_is_legal(config: AcceleratorConfig, bus: object, prefix: str) -> Value:
    """What AR or AW say, while they are valid (A3.4.1, A4.4)."""

    def of(name: str) -> Value:
        return getattr(bus, prefix + name)

    return ~of("valid") | (
        burst_is_legal(config, of("addr"), of("len") + 1)
        & (of("size") == (config.bus_bytes - 1).bit_length())
        & (of("burst") == axi.BURST_INCREMENTING)
        & (of("id") == 0)
        & (of("cache") == axi.CACHE_NORMAL_BUFFERABLE)
        & (of("prot") == 0)
    )


def address_payload(bus: object, prefix: str) -> Value:
    names = ("id", "addr", "len", "size", "burst", "cache", "prot")
    return Cat(getattr(bus, prefix + name) for name in names)


@dataclass
class ReadsInFlight:
    """Bursts whose address was taken and whose last beat was not, and how many beats of the oldest are to come."""

    count: Signal
    legal: Value
    """That R brings what was asked for: nothing unasked, RLAST with the last beat (A3.4.1, A3.3.1)."""


def reads_in_flight(m: Module, config: AcceleratorConfig, bus: object, most: int) -> ReadsInFlight:
    """Follows bursts of reads; ``most`` is how many can be followed, one more than are allowed."""
    depth = most + 1
    lengths = [Signal(8, name=f"length_{i}") for i in range(depth)]
    count, done = Signal(range(depth + 1)), Signal(8)
    enters, beat = bus.arvalid & bus.arready, bus.rvalid & bus.rready
    leaves = beat & bus.rlast
    m.d.sync += count.eq(count + enters - leaves)
    with m.If(leaves):
        m.d.sync += [lengths[i].eq(lengths[i + 1]) for i in range(depth - 1)]
    for i in range(depth):
        with m.If(enters & (count - leaves == i)):
            m.d.sync += lengths[i].eq(bus.arlen)
    with m.If(beat):
        m.d.sync += done.eq(Mux(bus.rlast, 0, done + 1))
    return ReadsInFlight(count, ~bus.rvalid | ((count != 0) & (bus.rlast == (done == lengths[0]))))


@dataclass
class WritesInFlight:
    """Bursts of writes, from their address to their response."""

    offered: Signal
    """Whose address was offered, and whose response was not taken."""
    last_is_right: Value
    """WLAST is with the beat that AWLEN announces as the last, and with no other (A3.4.1)."""
    data_follow_addresses: Value
    """No data but those of a burst whose address has been offered."""
    one_at_a_time: Value
    """The next address is offered when the data of the burst before are gone."""
    legal: Value
    """That B comes after the address and all data of its burst (A3.3.1)."""


def writes_in_flight(m: Module, config: AcceleratorConfig, bus: object, most: int) -> WritesInFlight:
    """Follows bursts of writes: beats are counted down from AWLEN + 1, from the cycle on in which AW is first valid."""
    offered, answerable, to_come = Signal(range(most + 3)), Signal(range(most + 3)), Signal(9)
    waiting = past(m, bus.awvalid & ~bus.awready)
    fresh = bus.awvalid & ~waiting
    left = Signal(9)
    m.d.comb += left.eq(Mux(fresh, bus.awlen + 1, to_come))
    beat, answer = bus.wvalid & bus.wready, bus.bvalid & bus.bready
    m.d.sync += [
        to_come.eq(left - beat),
        offered.eq(offered + fresh - answer),
    ]
    # A burst may be answered from the cycle after both its address and its last beat were taken.
    address_taken, data_taken = Signal(), Signal()
    address_done, data_done = address_taken | (bus.awvalid & bus.awready), data_taken | (beat & bus.wlast)
    complete = address_done & data_done
    m.d.sync += [
        address_taken.eq(address_done & ~complete),
        data_taken.eq(data_done & ~complete),
        answerable.eq(answerable + complete - answer),
    ]
    return WritesInFlight(
        offered,
        ~bus.wvalid | (bus.wlast == (left == 1)),
        ~bus.wvalid | (left != 0),
        ~fresh | (to_come == 0),
        ~bus.bvalid | (answerable != 0),
    )
