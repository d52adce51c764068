"""Combinational checks that an instruction must pass before an engine sees it."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Const, Module, Value, ValueLike
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import INSTRUCTIONS, OPCODE_BITS, WORD_BITS, Buffer, Execute, Fault, Instruction, Load, Store
from wingrid.hw.shift_add import combination
from wingrid.hw.winograd_matrices import winograd


class Decoder(wiring.Component):
    """Says whether a word is an instruction this accelerator can carry out. Purely combinational.

    Members
    -------
    word : In, WORD_BITS
        An instruction as it lies in memory.
    fault : Out, Fault
        NONE, ILLEGAL_INSTRUCTION (unknown opcode, a semaphore that this kind of instruction may not touch, an operand
        that must not be zero, an unknown buffer or bank, an address that is not a multiple of the bus width) or
        ADDRESS_OUT_OF_BUFFER.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__({"word": In(WORD_BITS), "fault": Out(Fault)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        checks = {Load: self._load, Execute: self._execute, Store: self._store}
        m.d.comb += self.fault.eq(Fault.ILLEGAL_INSTRUCTION)
        with m.Switch(self.word[:OPCODE_BITS]):
            for kind in INSTRUCTIONS:
                with m.Case(kind.opcode.value):
                    view = data.View(kind.layout(), self.word[: kind.layout().size])
                    illegal, outside = checks[kind](view)
                    with m.If(_foreign_semaphores(kind, view) | illegal):
                        m.d.comb += self.fault.eq(Fault.ILLEGAL_INSTRUCTION)
                    with m.Elif(outside):
                        m.d.comb += self.fault.eq(Fault.ADDRESS_OUT_OF_BUFFER)
                    with m.Else():
                        m.d.comb += self.fault.eq(Fault.NONE)
        return m

    def _load(self, load: data.View) -> tuple[Value, Value]:
        config = self._config
        depths = {
            Buffer.INPUTS: config.input_buffer,
            Buffer.WEIGHTS: config.weight_buffer,
            Buffer.PARAMETERS: config.parameter_entries,
        }
        illegal = _any(
            load.buffer >= len(Buffer),
            load.run_beats == 0,
            load.runs == 0,
            load.row_beats == 0,
            load.rows == 0,
            self._unaligned(load.source),
            self._unaligned(load.run_pitch),
        )
        outside = _any(
            *((load.buffer == buffer.value) & (load.destination >= depth) for buffer, depth in depths.items())
        )
        return illegal, outside

    def _execute(self, execute: data.View) -> tuple[Value, Value]:
        config = self._config
        illegal = _any(
            execute.bank > 1,
            execute.accumulate > 1,
            execute.kernel_height == 0,
            execute.kernel_width == 0,
            execute.count == 0,
            execute.blocks == 0,
            self._unknown_tile(execute.tile),
            *(
                (execute.tile == tile)
                & ((execute.kernel_height != winograd(tile).patch) | (execute.kernel_width != winograd(tile).patch))
                for tile in config.tiles
            ),
        )
        outside = _any(
            execute.input_base >= config.input_buffer,
            execute.weight_base >= config.weight_buffer,
            self._sums_outside(execute),
        )
        return illegal, outside

    def _store(self, store: data.View) -> tuple[Value, Value]:
        config = self._config
        illegal = _any(
            store.bank > 1,
            store.count == 0,
            store.width == 0,
            store.first >= store.width,
            store.lines == 0,
            self._unknown_tile(store.tile),
            store.pool == 1,
            (store.tile == 0) & (store.pool != 0) & (store.first != 0),
            (store.tile != 0) & (store.pool != 0) & ((store.pool != 2) | (store.pool_stride != 2)),
            self._unaligned(store.destination),
            self._unaligned(store.row_pitch),
        )
        outside = _any(
            store.parameter_block >= config.parameter_blocks,
            self._sums_outside(store),
        )
        return illegal, outside

    def _unknown_tile(self, tile: Value) -> Value:
        return ~_any(*(tile == known for known in (0, *self._config.tiles)))

    def _sums_outside(self, view: data.View) -> Value:
        """Whether the accumulators of ``count`` vectors, or tiles, go past the end of a bank."""
        config = self._config
        outside = (view.tile == 0) & (view.accumulator_base + view.count > config.accumulators)
        for tile in config.tiles:
            sums = combination([winograd(tile).patch ** 2], [view.count])
            outside = outside | (view.tile == tile) & (view.accumulator_base + sums > config.accumulators)
        return outside

    def _unaligned(self, address: Value) -> Value:
        return address[: (self._config.bus_bytes - 1).bit_length()].any()


def _foreign_semaphores(kind: type[Instruction], view: data.View) -> Value:
    foreign_waits = [view.wait[bit] for bit in range(8) if bit not in set(map(int, kind.waits))]
    foreign_signals = [view.signal[bit] for bit in range(8) if bit not in set(map(int, kind.signals))]
    return _any(*foreign_waits, *foreign_signals)


def _any(*conditions: ValueLike) -> Value:
    return reduce(or_, conditions, Const(0, 1)).bool()
