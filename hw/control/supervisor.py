"""Starts and stops the machine: when a program is done, which fault stands, and what a deadlock is."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value, ValueLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.isa import PC_BITS, Fault


class Supervisor(wiring.Component):
    """Runs from ``start`` until all work is done or something is wrong.

    What it hears rests in registers for a cycle before it acts on it: the end of all work, movement and every cause of
    a fault, with the instruction that each would be blamed on.

    A program is done when ``idle`` and ``vectors_idle`` are high and the mesh has settled: vectors that have entered
    it cannot be seen any more, so ``settling_cycles`` are counted from the last cycle without ``vectors_idle``.

    The first fault stands until reset. Of simultaneous ones it is the first in the order of the ports below, a
    deadlock being the last: a running machine in which nothing is ``moving`` for ``quiet_cycles``.

    Members
    -------
    start : In, 1
        Pulse, while the machine is neither running nor faulty.
    hold : In, 1
        Nothing more may be started, though there is no fault.
    idle : In, 1
        No engine, queue or bus master has anything left to do; says nothing about vectors.
    vectors_idle : In, 1
        No vector is queued or on its way to the mesh.
    moving : In, 1
        Something got on in this cycle, or is under way on the bus.
    write_error : In, 1
        Memory has answered a write with an error in this cycle.
    write_error_pc : In, PC_BITS
        Index of the instruction that wrote.
    read_error : In, 1
        Memory has answered a LOAD with an error in this cycle.
    read_error_pc : In, PC_BITS
        Index of the LOAD.
    bank_conflict : In, 1
        The store engine reads a bank to which sums are being added.
    store_pc : In, PC_BITS
        Index of the instruction that the store engine works on: a bank conflict is blamed on it.
    lane_overflow : In, 1
        A sparse lane has left its window in this cycle.
    lane_overflow_pc : In, PC_BITS
        Index of the instruction that led it there.
    semaphore_overflow : In, 1
        A full semaphore is signalled in this cycle.
    fetch_fault : In, Fault
        What is wrong with the instruction at the head of the fetch engine.
    fetch_pc : In, PC_BITS
        Index of that instruction: faults that belong to no instruction that is known are blamed on it.
    halt : Out, 1
        No unit may start anything more: ``halt_latency`` cycles after ``hold`` or a fault, so that one more may start.
    running : Out, 1
        From the cycle after ``start`` up to ``done`` or a fault.
    done : Out, 1
        From the end of a program without fault up to the next ``start``.
    fault : Out, Fault
        The fault that stands, from the second cycle after its cause on.
    fault_pc : Out, PC_BITS
        Index of its instruction.
    """

    halt_latency = 1
    """Cycles from ``hold`` or a fault to ``halt``, which comes from a register of its own: half of the machine hears
    it."""
    stop_latency = 1
    """Cycles that a program runs on after the first one in which all of its work is done."""

    def __init__(self, settling_cycles: int, quiet_cycles: int) -> None:
        self._settling_cycles = settling_cycles
        self._quiet_cycles = quiet_cycles
        super().__init__(
            {
                "start": In(1),
                "hold": In(1),
                "idle": In(1),
                "vectors_idle": In(1),
                "moving": In(1),
                "write_error": In(1),
                "write_error_pc": In(PC_BITS),
                "read_error": In(1),
                "read_error_pc": In(PC_BITS),
                "bank_conflict": In(1),
                "store_pc": In(PC_BITS),
                "lane_overflow": In(1),
                "lane_overflow_pc": In(PC_BITS),
                "semaphore_overflow": In(1),
                "fetch_fault": In(Fault),
                "fetch_pc": In(PC_BITS),
                "halt": Out(1),
                "running": Out(1),
                "done": Out(1),
                "fault": Out(Fault),
                "fault_pc": Out(PC_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.halt.eq(self.hold | (self.fault != Fault.NONE))
        finished = Signal()
        m.d.sync += finished.eq(self.running & self.idle & self._settled(m))
        with m.If(self.start):
            m.d.sync += [self.running.eq(1), self.done.eq(0)]
        with m.Elif(self.running & (finished | (self.fault != Fault.NONE))):
            m.d.sync += [self.running.eq(0), self.done.eq(self.fault == Fault.NONE)]

        causes = (
            (self.write_error, Fault.WRITE_ERROR, self.write_error_pc),
            (self.read_error, Fault.READ_ERROR, self.read_error_pc),
            (self.bank_conflict, Fault.BANK_CONFLICT, self.store_pc),
            (self.lane_overflow, Fault.ADDRESS_OUT_OF_BUFFER, self.lane_overflow_pc),
            (self.semaphore_overflow, Fault.SEMAPHORE_OVERFLOW, self.fetch_pc),
            (self.fetch_fault != Fault.NONE, self.fetch_fault, self.fetch_pc),
            (self._deadlocked(m), Fault.DEADLOCK, self.fetch_pc),
        )
        heard = [
            (_delayed(m, condition & self.running), _delayed(m, code), _delayed(m, pc))
            for condition, code, pc in causes
        ]
        with m.If(self.running & (self.fault == Fault.NONE)):
            for condition, code, pc in reversed(heard):
                with m.If(condition):
                    m.d.sync += [self.fault.eq(code), self.fault_pc.eq(pc)]
        return m

    def _settled(self, m: Module) -> Signal:
        """High when no vector is left to enter the mesh and the last one's sum is in its accumulator."""
        cycles = Signal(range(self._settling_cycles + 1))
        settled = Signal()
        m.d.comb += settled.eq(self.vectors_idle & (cycles == 0))
        with m.If(~self.vectors_idle):
            m.d.sync += cycles.eq(self._settling_cycles)
        with m.Elif(cycles != 0):
            m.d.sync += cycles.eq(cycles - 1)
        return settled

    def _deadlocked(self, m: Module) -> Signal:
        """High when nothing has moved for too long."""
        quiet_for = Signal(range(self._quiet_cycles + 1))
        moved = Signal()
        m.d.sync += moved.eq(self.moving | ~self.running)
        deadlocked = Signal()
        m.d.comb += deadlocked.eq(quiet_for == self._quiet_cycles)
        with m.If(moved):
            m.d.sync += quiet_for.eq(0)
        with m.Else():
            m.d.sync += quiet_for.eq(quiet_for + 1)
        return deadlocked


def _delayed(m: Module, value: ValueLike) -> Value:
    """A register behind the value; none behind a constant, for synthesis."""
    value = Value.cast(value)
    delayed = Signal(value.shape(), name="delayed", reset_less=True)
    m.d.sync += delayed.eq(value)
    return delayed
