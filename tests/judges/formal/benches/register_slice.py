"""What is proved about the register slice."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Cat, Module, Signal
from rules import Bench, past, steady

from wingrid.hw.bus.register_slice import RegisterSlice

BITS = 2
"""Of a payload. A slice only hands payloads on, so that nothing depends on it."""


class RegisterSliceBench(Bench):
    """A slice with anything in front and behind it, beside a list of what entered and has not left."""

    rules: ClassVar = {
        "steady": "what is offered stays until it is taken",
        "nothing is lost": "it offers the oldest of what entered and has not left, whenever there is any",
        "room": "it never holds more than two, and is ready unless it does",
    }
    witnesses: ClassVar = {
        "full": "two payloads wait",
        "full throughput": "payloads entered and left in three cycles on end",
    }

    def __init__(self) -> None:
        super().__init__({"valid": 1, "payload": BITS, "ready": 1})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.begin(m)
        m.submodules.device = device = RegisterSlice(BITS)
        m.d.comb += [
            device.input.valid.eq(self.valid),
            device.input.payload.eq(self.payload),
            device.output.ready.eq(self.ready),
        ]
        enters = device.input.valid & device.input.ready
        leaves = device.output.valid & device.output.ready
        # Room for one more than it may hold, or else it could not be seen.
        held = [Signal(BITS, name=f"held_{i}") for i in range(3)]
        count = Signal(range(4))
        m.d.sync += count.eq(count + enters - leaves)
        with m.If(leaves):
            m.d.sync += [held[i].eq(held[i + 1]) for i in range(2)]
        for i in range(3):
            with m.If(enters & (count - leaves == i)):
                m.d.sync += held[i].eq(device.input.payload)
        both = Signal(2)
        m.d.sync += both.eq(Cat(enters & leaves, both))
        self.rule(m, "steady", steady(m, device.output.valid, device.output.ready, device.output.payload))
        self.rule(
            m,
            "nothing is lost",
            (device.output.valid == (count != 0)) & (~device.output.valid | (device.output.payload == held[0])),
        )
        self.rule(m, "room", (count <= 2) & (device.input.ready == (count < 2)))
        self.witness(m, "full", count == 2)
        self.witness(m, "full throughput", both.all() & past(m, both.all()))
        self.conclude(m)
        return m
