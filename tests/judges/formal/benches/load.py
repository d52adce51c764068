"""What is proved about the load engine."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Module, Signal
from request_rules import RUNS, legal_runs
from rules import Bench
from small_configurations import NARROW_BUS, page_bits

from wingrid.hw.bus.read_master import read_beat
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.decoder import Decoder
from wingrid.hw.control.fetch_engine import dispatched
from wingrid.hw.isa import Load, Semaphore
from wingrid.hw.load.load_engine import LoadEngine
from wingrid.hw.registers import BASE_ALIGNMENT_BITS


class LoadBench(Bench):
    """The load engine, with any LOADs that the decoder lets pass, and semaphores that stay until it takes them."""

    rules: ClassVar = {
        **RUNS,
        "takes": "only semaphores that are available are taken",
    }
    witnesses: ClassVar = {"second instruction": "two instructions of several bursts were asked for"}

    def __init__(self, config: AcceleratorConfig = NARROW_BUS) -> None:
        self.config = config
        super().__init__(
            {
                "instruction_valid": 1, "instruction": dispatched(Load).size, "available": len(Semaphore),
                "request_ready": 1, "beat": read_beat(config).size, "halt": 1,
                "page": page_bits(config),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        self.begin(m)
        m.submodules.device = device = LoadEngine(config)
        request, load = device.request, device.instruction.payload.instruction
        m.d.comb += [
            device.base.eq(self.page << BASE_ALIGNMENT_BITS),
            device.instruction.valid.eq(self.instruction_valid),
            device.instruction.payload.as_value().eq(self.instruction),
            device.available.eq(self.available),
            request.ready.eq(self.request_ready),
            device.beat.eq(self.beat),
            device.halt.eq(self.halt),
        ]
        m.submodules.decoder = decoder = Decoder(config, registered=False)
        m.d.comb += decoder.word.eq(load.as_value())
        self.assume(~device.instruction.valid | ((decoder.fault == 0) & (load.opcode == Load.opcode.value)))
        # A queue offers an instruction until it is taken, and nobody else takes what this engine waits for.
        waiting, wait, available = Signal(), Signal(len(Semaphore)), Signal(len(Semaphore))
        m.d.sync += [
            waiting.eq(device.instruction.valid & ~device.instruction.ready),
            wait.eq(load.wait),
            available.eq(device.available & ~device.take),
        ]
        self.assume(~waiting | (device.instruction.valid & (load.wait == wait)))
        self.assume((available & ~device.available) == 0)
        descriptor = device.bursts.descriptor
        self.rule(m, "runs", legal_runs(config, descriptor.valid, descriptor.payload))
        self.rule(m, "takes", (device.take & ~self.available) == 0)
        count, started = Signal(3), device.instruction.valid & device.instruction.ready
        first, asked = Signal(), request.valid & request.ready
        m.d.sync += first.eq((first & ~asked) | started)
        with m.If(asked & ~first & (count != 7)):
            m.d.sync += count.eq(count + 1)
        self.witness(m, "second instruction", count == 2)
        self.conclude(m)
        return m
