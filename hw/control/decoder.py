"""The checks that an instruction must pass before an engine sees it."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import (
    FACTOR_BITS,
    INSTRUCTIONS,
    LARGEST_PIXEL_PITCH,
    OPCODE_BITS,
    WORD_BITS,
    Buffer,
    Combining,
    Execute,
    Fault,
    Instruction,
    Load,
    SparseFormat,
    Store,
)
from wingrid.hw.layouts import layout_of
from wingrid.hw.shift_add import combination
from wingrid.hw.winograd_matrices import winograd

Checks = tuple[list[Value], list[Value]]
"""What makes an instruction illegal, and what puts it outside of a buffer."""


class Decoder(wiring.Component):
    """Says whether a word is an instruction this accelerator can carry out, and who carries it out.

    A register behind each comparison of a field, and one behind what they amount to for each kind of instruction: a
    verdict ``latency`` cycles after its word, one per cycle. It is a choice among few bits, which whoever asks keeps.

    ``registered`` is False where a proof wants the verdict in the cycle of the word.

    Members
    -------
    word : In, WORD_BITS
        An instruction as it lies in memory.
    error : In, 1
        The word was not read properly.
    kind : Out, len(INSTRUCTIONS)
        The bit of its place in ``INSTRUCTIONS``, for an instruction without fault.
    fault : Out, Fault
        NONE, READ_ERROR (whatever the word is), ILLEGAL_INSTRUCTION (unknown opcode, a semaphore that this kind of
        instruction may not touch, an operand that must not be zero, an unknown buffer, bank, fence or combination, a
        factor or a pixel pitch of too many bits, an address that is not a multiple of the bus width) or
        ADDRESS_OUT_OF_BUFFER.
    """

    latency = 2
    """Cycles from a word to its verdict."""

    def __init__(self, config: AcceleratorConfig, *, registered: bool = True) -> None:
        self._config = config
        self._registered = registered
        super().__init__({"word": In(WORD_BITS), "error": In(1), "kind": Out(len(INSTRUCTIONS)), "fault": Out(Fault)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        checks = {Load: self._load, Execute: self._execute, Store: self._store}
        sound, outside = [], []
        for kind in INSTRUCTIONS:
            view = data.View(layout_of(kind), self.word[: layout_of(kind).size])
            illegal, beyond = checks[kind](m, view)
            illegal += self._compared(m, *_other_opcode(kind, self.word), *_foreign_semaphores(kind, view))
            bad, out = self._compared(m, Cat(illegal).any(), Cat(beyond).any())
            sound.append(~bad & ~out)
            outside.append(~bad & out)
        (error,) = self._compared(m, self.error)
        (error,) = self._compared(m, error)
        fault = Mux(
            error,
            Fault.READ_ERROR,
            Mux(
                Cat(sound).any(),
                Fault.NONE,
                Mux(Cat(outside).any(), Fault.ADDRESS_OUT_OF_BUFFER, Fault.ILLEGAL_INSTRUCTION),
            ),
        )
        m.d.comb += [self.kind.eq(Mux(error, 0, Cat(sound))), self.fault.eq(fault)]
        return m

    def _compared(self, m: Module, *values: Value) -> list[Value]:
        """A register behind each of them."""
        if not self._registered:
            return list(values)
        terms = [Signal(value.shape(), name="term", reset_less=True) for value in values]
        m.d.sync += [term.eq(value) for term, value in zip(terms, values, strict=True)]
        return list(terms)

    def _load(self, m: Module, load: data.View) -> Checks:
        config = self._config
        depths = {
            Buffer.INPUTS: config.input_buffer,
            Buffer.WEIGHTS: config.weight_buffer,
            Buffer.PARAMETERS: config.parameter_entries,
            Buffer.TABLES: config.table_entries,
            Buffer.ADDENDS: config.addends,
            Buffer.CODES: config.code_entries,
        }
        illegal = self._compared(
            m,
            load.buffer >= len(Buffer),
            load.fence > 1,
            load.run_beats == 0,
            load.runs == 0,
            load.row_beats == 0,
            load.rows == 0,
            self._unaligned(load.source, load.run_pitch),
        )
        # One comparison, as tools make those with powers of two of each other, one behind the other.
        buffer = load.buffer[: max(Buffer).bit_length()]
        limit = reduce(or_, (Mux(buffer == one.value, depth, 0) for one, depth in depths.items()))
        limit, destination = self._compared(m, limit, load.destination)
        return illegal, [destination >= limit]

    def _execute(self, m: Module, execute: data.View) -> Checks:
        config = self._config
        at = self._tiles(m, execute.tile)
        illegal = self._compared(
            m,
            (execute.bank > 1) | (execute.accumulate > 1),
            (execute.kernel_height == 0) | (execute.kernel_width == 0),
            execute.count == 0,
            execute.blocks == 0,
            self._no_sparse_format(execute),
            self._not_decodable(execute),
        )
        illegal.append(~_any(*at.values()))
        for tile in config.tiles:
            patch = winograd(tile).patch
            (other,) = self._compared(m, (execute.kernel_height != patch) | (execute.kernel_width != patch))
            illegal.append(at[tile] & other)
        outside = self._compared(
            m, execute.input_base >= config.input_buffer, execute.weight_base >= config.weight_buffer
        )
        return illegal, [*outside, self._sums_outside(m, execute, at)]

    def _store(self, m: Module, store: data.View) -> Checks:
        config = self._config
        at = self._tiles(m, store.tile)
        illegal = self._compared(
            m,
            (store.bank > 1) | (store.pool == 1),
            (store.combination >= len(Combining)) | (store.broadcast > 1),
            _wide(store.factor) | _wide(store.addend_factor),
            store.count == 0,
            store.width == 0,
            store.first >= store.width,
            store.lines == 0,
            self._unaligned(store.destination, store.row_pitch),
            (store.pixel_pitch == 1) | (store.pixel_pitch > LARGEST_PIXEL_PITCH),
        )
        (apart,) = self._compared(m, store.pixel_pitch != 0)
        pools, begins_late, odd = self._compared(
            m, store.pool != 0, store.first != 0, (store.pool != 2) | (store.pool_stride != 2)
        )
        illegal += [~_any(*at.values()), at[0] & pools & begins_late, ~at[0] & pools & odd, ~at[0] & apart]
        outside = self._compared(
            m,
            store.parameter_block >= config.parameter_blocks,
            store.table > config.tables,
            store.addend_base >= config.addends if config.addends else store.combination != Combining.NONE,
        )
        return illegal, [*outside, self._sums_outside(m, store, at)]

    def _no_sparse_format(self, execute: data.View) -> Value:
        """Whether ``sparse`` is none that the accelerator has, or comes with a tile."""
        if not self._config.sparse:
            return execute.sparse != 0
        return (execute.sparse >= len(SparseFormat)) | ((execute.sparse != 0) & (execute.tile != 0))

    def _not_decodable(self, execute: data.View) -> Value:
        """Whether ``coded`` is neither 0 nor 1, or asks for decoders where there are none or without a tile."""
        if not self._config.decoders:
            return execute.coded != 0
        return (execute.coded > 1) | ((execute.coded != 0) & (execute.tile == 0))

    def _tiles(self, m: Module, tile: Value) -> dict[int, Value]:
        """For each tile that there is, and 0, whether it is the instruction's."""
        known = (0, *self._config.tiles)
        return dict(zip(known, self._compared(m, *(tile == one for one in known)), strict=True))

    def _sums_outside(self, m: Module, view: data.View, at: dict[int, Value]) -> Value:
        """Whether the accumulators of ``count`` vectors, or tiles, go past the end of a bank."""
        positions = {tile: winograd(tile).patch ** 2 if tile else 1 for tile in at}
        room, *sums = self._compared(
            m,
            self._config.accumulators - view.accumulator_base,
            *(combination([number], [view.count]) for number in positions.values()),
        )
        wanted = reduce(or_, (Mux(here, number, 0) for here, number in zip(at.values(), sums, strict=True)))
        return wanted > room

    def _unaligned(self, *addresses: Value) -> Value:
        bits = (self._config.bus_bytes - 1).bit_length()
        return Cat(address[:bits] for address in addresses).any()


def _other_opcode(kind: type[Instruction], word: Value) -> list[Value]:
    """Whether the opcode is above all that there are, and whether what is below differs from the kind's."""
    bits = max(one.opcode.value for one in INSTRUCTIONS).bit_length()
    return [word[bits:OPCODE_BITS].any(), word[:bits] != kind.opcode.value]


def _foreign_semaphores(kind: type[Instruction], view: data.View) -> list[Value]:
    """Waits and signals that this kind may not have, bit by bit: tools would build what kinds share of an OR first."""
    waits = [view.wait[bit] for bit in range(8) if bit not in set(map(int, kind.waits))]
    signals = [view.signal[bit] for bit in range(8) if bit not in set(map(int, kind.signals))]
    return waits + signals


def _wide(factor: Value) -> Value:
    """Whether a STORE's factor has more bits than the multipliers."""
    above = factor[FACTOR_BITS - 1 :]
    return above.any() & ~above.all()


def _any(*conditions: Value) -> Value:
    return reduce(or_, conditions, Const(0, 1))
