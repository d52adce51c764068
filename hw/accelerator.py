"""The accelerator as it drops into a design: AXI4 master, AXI4-Lite slave, interrupt."""

from __future__ import annotations

from amaranth.hdl import Cat, ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from wingrid.hw.bus import axi
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.register_file import RegisterFile
from wingrid.hw.control.supervisor import Supervisor
from wingrid.hw.core import Core
from wingrid.hw.events import Event


class Accelerator(wiring.Component):
    """Registers in front of a core, on one clock with a synchronous reset.

    The core has a reset of its own, from a register, so that nothing in it hangs on an input: it acts a cycle after
    ``rst``, and after a soft reset's end. One cycle of ``rst`` is enough to begin with; the core is silent on the bus
    from the second cycle on, so hold it for two where anybody listens. The host may come as soon as it is over.

    A soft reset (``Control.RESET``) holds the core until its last bus transaction is over, then
    resets all of it; registers that the host has written keep their values. Where memory never answers, it waits
    for ever, as the protocol wants: only ``rst`` helps, on both sides of the bus.

    Members
    -------
    m_axi_* : In and Out, ``axi.memory_master(config)``
        AXI4 master to memory, ``config.bus_bytes`` wide.
    s_axil_* : In and Out, ``axi.register_slave()``
        AXI4-Lite slave, 32 bits: the registers.
    interrupt : Out, 1
        Level: the machine has stopped and the interrupt is enabled.
    events : Out, len(Event)
        A bit for each ``Event``, high for one cycle, the one after an engine did that to an instruction. For measuring
        and logic analysers; may be left open.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                **axi.flat("m_axi", axi.memory_master(config)),
                **axi.flat("s_axil", axi.register_slave()),
                "interrupt": Out(1),
                "events": Out(len(Event)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        core = Core(self.config)
        resetting = Signal()
        held = Signal(Supervisor.halt_latency)
        reset_core = Signal(init=1)
        m.domains.core = ClockDomain("core", local=True)
        m.submodules.core = DomainRenamer("core")(core)
        m.submodules.registers = registers = RegisterFile(self.config)
        axi.connect_flat(m, self, "m_axi", core.read_bus, axi.read_channels(self.config))
        axi.connect_flat(m, self, "m_axi", core.write_bus, axi.write_channels(self.config))
        axi.connect_flat(m, self, "s_axil", registers.bus, axi.register_slave())

        m.d.comb += [
            core.start.eq(registers.start),
            core.hold.eq(resetting),
            core.base.eq(registers.base),
            core.program.eq(registers.program),
            core.length.eq(registers.length),
            registers.running.eq(core.running),
            registers.done.eq(core.done),
            registers.fault.eq(core.fault),
            registers.fault_pc.eq(core.fault_pc),
            registers.counters.eq(core.counters),
            registers.resetting.eq(resetting),
            self.interrupt.eq(registers.interrupt),
            self.events.eq(core.events),
            ClockSignal("core").eq(ClockSignal()),
            ResetSignal("core").eq(reset_core),
        ]
        # Quiet counts once the core hears that it is held.
        m.d.sync += held.eq(Cat(resetting, held))
        m.d.sync += reset_core.eq(resetting & held[-1] & core.bus_quiet & ~reset_core)
        with m.If(registers.reset):
            m.d.sync += resetting.eq(1)
        with m.Elif(reset_core):
            m.d.sync += resetting.eq(0)
        return m
