"""What is proved about the whole machine but for its registers."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Module, Signal
from bus_ports import drive, free
from master_rules import MASTER_READS, MASTER_WRITES, check_reads, check_writes
from rules import Bench
from small_configurations import SMALL, page_bits

from wingrid.hw.bus import axi
from wingrid.hw.config import INSTRUCTION_BYTES, AcceleratorConfig
from wingrid.hw.core import Core
from wingrid.hw.isa import Fault
from wingrid.hw.registers import BASE_ALIGNMENT_BITS


class CoreBench(Bench):
    """The whole machine but for its registers, with any program in memory and any responses."""

    rules: ClassVar = {**MASTER_READS, **MASTER_WRITES, "RREADY": "R never waits", "BREADY": "B never waits"}
    witnesses: ClassVar = {
        "fetched": "an instruction was fetched",
        "loaded": "a LOAD's burst was asked for",
        "fault": "an instruction was refused",
    }

    def __init__(self, config: AcceleratorConfig = SMALL) -> None:
        self.config = config
        super().__init__(
            {
                **free(axi.read_channels(config)), **free(axi.write_channels(config)),
                "start": 1, "hold": 1, "page": page_bits(config), "first_line": 26, "length": 24,
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        self.begin(m)
        m.submodules.device = device = Core(config)
        drive(m, device.read_bus, self, axi.read_channels(config))
        drive(m, device.write_bus, self, axi.write_channels(config))
        m.d.comb += [
            device.start.eq(self.start),
            device.hold.eq(self.hold),
            device.base.eq(self.page << BASE_ALIGNMENT_BITS),
            device.program.eq(self.first_line << 6),
            device.length.eq(self.length),
        ]
        self.assume(~self.start | ~(device.running | (device.fault != 0)))
        check_reads(self, m, config, device.read_bus)
        check_writes(self, m, config, device.write_bus)
        self.rule(m, "RREADY", device.read_bus.rready)
        self.rule(m, "BREADY", device.write_bus.bready)
        read = device.read_bus
        fetched = Signal()
        with m.If(read.rvalid & read.rlast):
            m.d.sync += fetched.eq(1)
        self.witness(m, "fetched", fetched)
        self.witness(m, "loaded", read.arvalid & (read.arlen != INSTRUCTION_BYTES // config.bus_bytes - 1))
        self.witness(m, "fault", device.fault == Fault.ILLEGAL_INSTRUCTION)
        self.conclude(m)
        return m
