"""What a master on AXI is held to, reading and writing; ``axi_rules`` has the expressions."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module
from axi_rules import address_is_legal, address_payload, reads_in_flight, writes_in_flight
from rules import Bench, past, steady

from wingrid.hw.config import AcceleratorConfig

MASTER_READS = {
    "AR steady": "A3.2.1: ARVALID stays until ARREADY, and the address with it",
    "AR legal": "A3.4.1, A4.4: INCR, as wide as the bus, aligned, within 4 KiB, as long as configured, as ever",
    "reads in flight": "never more bursts than configured",
    "AR after reset": "A3.1.2: ARVALID is low in the first cycle after reset",
}
MASTER_WRITES = {
    "AW steady": "A3.2.1: AWVALID stays until AWREADY, and the address with it",
    "AW legal": "A3.4.1, A4.4: INCR, as wide as the bus, aligned, within 4 KiB, as long as configured, as ever",
    "W steady": "A3.2.1: WVALID stays until WREADY, and WLAST and the strobes with it",
    "WLAST position": "A3.4.1: WLAST is with the last of the AWLEN + 1 beats, and with no other",
    "W after AW": "no data before the address of their burst is offered",
    "one burst at a time": "no address before all data of the burst before are gone",
    "strobes": "whole beats are written",
    "writes in flight": "never more bursts than configured without response",
    "AW and W after reset": "A3.1.2: AWVALID and WVALID are low in the first cycle after reset",
}


def check_reads(bench: Bench, m: Module, config: AcceleratorConfig, bus: object) -> None:
    """All of ``MASTER_READS``, with R as it should be."""
    followed = reads_in_flight(m, config, bus, config.reads_in_flight)
    bench.assume(followed.legal)
    bench.rule(m, "AR steady", steady(m, bus.arvalid, bus.arready, address_payload(bus, "ar")))
    bench.rule(m, "AR legal", address_is_legal(config, bus, "ar"))
    bench.rule(m, "reads in flight", followed.count + bus.arvalid <= config.reads_in_flight)
    bench.rule(m, "AR after reset", past(m, Const(1)) | ~bus.arvalid)


def check_writes(bench: Bench, m: Module, config: AcceleratorConfig, bus: object) -> None:
    """All of ``MASTER_WRITES``, with B as it should be."""
    followed = writes_in_flight(m, config, bus, config.writes_in_flight)
    bench.assume(followed.legal)
    bench.rule(m, "AW steady", steady(m, bus.awvalid, bus.awready, address_payload(bus, "aw")))
    bench.rule(m, "AW legal", address_is_legal(config, bus, "aw"))
    bench.rule(m, "W steady", steady(m, bus.wvalid, bus.wready, Cat(bus.wlast, bus.wstrb)))
    bench.rule(m, "WLAST position", followed.last_is_right)
    bench.rule(m, "W after AW", followed.data_follow_addresses)
    bench.rule(m, "one burst at a time", followed.one_at_a_time)
    bench.rule(m, "strobes", ~bus.wvalid | bus.wstrb.all())
    bench.rule(m, "writes in flight", followed.offered <= config.writes_in_flight)
    bench.rule(m, "AW and W after reset", past(m, Const(1)) | ~(bus.awvalid | bus.wvalid))
