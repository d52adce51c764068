"""A lane that decodes its stream of codes, one symbol a cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import TABLE_ENTRIES, AcceleratorConfig
from wingrid.hw.isa import CODE_PREFIX_BITS, CODE_RING, LONGEST_CODE
from wingrid.hw.layouts import CODE_HEAD
from wingrid.hw.ram_style import RamStyle

CLASS = data.StructLayout({"first": 8, "length": 4})
"""What a prefix stands for: the place of its first symbol, and the bits of its codes."""


class CodeLane(wiring.Component):
    """Finds the symbol of the code at which it stands, and goes on behind it.

    A code begins at its lowest bit, and runs on into the next word. Its first ``CODE_PREFIX_BITS`` bits name a class,
    which has a length and a first symbol. Of a longer code, the bits behind the prefix take the place of the lowest
    ones of that symbol's place in the table. So finding the next code takes a table of 32 classes and no comparison.

    Nothing waits here, and nothing is looked at but the bits: whatever the words hold, a step takes a cycle. Words that
    have not come are decoded as what was in their place.

    Members
    -------
    begins : In, 1
        The lane stands at the first word of the ring.
    steps : In, 1
        The lane goes on to the next code.
    leaves : In, 1
        With ``steps``: goes on to word ``next_word``.
    next_word : In, range(CODE_RING)
    word : Out, range(CODE_RING)
        The word at which it stands.
    head : Out, CODE_HEAD
        Its lowest bits.
    symbol : Out, signed(8)
        In the cycle after ``steps``.
    arrives : In, 1
        ``arrival`` is put into the ring, to be decoded from the next cycle on.
    arrival_word : In, range(CODE_RING)
    arrival : In, 8 * decoder_columns
    table_write : In, 1
        A beat of tables comes.
    table_address : In, range(code_entries)
    table_data : In, 8 * bus_bytes
        Symbols, then from its middle on the byte of a class's first symbol and that of its length; classes are in the
        first 32 beats.
    """

    def __init__(self, config: AcceleratorConfig, first_bit: int) -> None:
        self._config = config
        self._first_bit = first_bit
        super().__init__(
            {
                "begins": In(1),
                "steps": In(1),
                "leaves": In(1),
                "next_word": In(range(CODE_RING)),
                "word": Out(range(CODE_RING)),
                "head": Out(CODE_HEAD),
                "symbol": Out(signed(8)),
                "arrives": In(1),
                "arrival_word": In(range(CODE_RING)),
                "arrival": In(8 * config.decoder_columns),
                "table_write": In(1),
                "table_address": In(range(config.code_entries)),
                "table_data": In(8 * config.bus_bytes),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bit = Signal(range(8 * self._config.decoder_columns), init=self._first_bit)
        window = Cat(self._words(m, self.word), self._words(m, (self.word + 1)[: len(self.word)]))
        code = Signal(LONGEST_CODE)
        m.d.comb += [code.eq(window >> bit), self.head.as_value().eq(window)]
        entry = self._class(m, code[:CODE_PREFIX_BITS])
        with m.If(self.begins):
            m.d.sync += [self.word.eq(0), bit.eq(self._first_bit)]
        with m.Elif(self.steps & self.leaves):
            m.d.sync += [self.word.eq(self.next_word), bit.eq(self._first_bit)]
        with m.Elif(self.steps):
            m.d.sync += Cat(bit, self.word).eq(Cat(bit, self.word) + entry.length)
        behind = code[CODE_PREFIX_BITS:]
        place = Signal(8)
        m.d.sync += place.eq(entry.first)
        for number in range(len(behind)):
            with m.If(entry.length > CODE_PREFIX_BITS + number):
                m.d.sync += place[number].eq(behind[number])
        m.d.comb += self.symbol.eq(self._symbol(m, place))
        return m

    def _words(self, m: Module, word: Value) -> Value:
        """The ring's word, from a copy of the ring for each that is read in a cycle."""
        memory = Memory(shape=self.arrival.shape(), depth=CODE_RING, init=[], attrs=RamStyle.DISTRIBUTED.attributes)
        m.submodules += memory
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(self.arrives),
            write.addr.eq(self.arrival_word),
            write.data.eq(self.arrival),
            read.addr.eq(word),
        ]
        return read.data

    def _class(self, m: Module, prefix: Value) -> data.View:
        classes = 1 << CODE_PREFIX_BITS
        m.submodules.classes = memory = Memory(
            shape=CLASS, depth=classes, init=[], attrs=RamStyle.DISTRIBUTED.attributes
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        first, length = (self.table_data.word_select(self._config.bus_bytes // 2 + byte, 8) for byte in range(2))
        m.d.comb += [
            write.en.eq(self.table_write & (self.table_address < classes)),
            write.addr.eq(self.table_address),
            write.data.first.eq(first),
            write.data.length.eq(length),
            read.addr.eq(prefix),
        ]
        return read.data

    def _symbol(self, m: Module, place: Value) -> Value:
        in_beat = self._config.code_symbols
        m.submodules.symbols = memory = Memory(
            shape=8 * in_beat, depth=TABLE_ENTRIES // in_beat, init=[], attrs=RamStyle.DISTRIBUTED.attributes
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        within = (in_beat - 1).bit_length()
        m.d.comb += [
            write.en.eq(self.table_write),
            write.addr.eq(self.table_address),
            write.data.eq(self.table_data),
            read.addr.eq(place[within:]),
        ]
        # Not by a shift, which front ends would warn of: it is as wide as a beat.
        symbol = Signal(8)
        with m.Switch(place[:within]):
            for number in range(in_beat):
                with m.Case(number):
                    m.d.comb += symbol.eq(read.data.word_select(number, 8))
        return symbol
