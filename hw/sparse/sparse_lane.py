"""A lane that walks through its stream of non-zero weights, and sums up rows of a sparse matrix."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import LARGEST_CODEBOOK, SPARSE_FORMATS, SPARSE_WINDOW, SparseFormat
from wingrid.hw.load.operand_buffers import OperandBuffers
from wingrid.hw.ram_style import RamStyle

SUM_BITS = 32
"""Signed width of a row's sums, which are taken modulo two to this power."""

ROWS_TAKEN_BITS = SPARSE_WINDOW.bit_length()
"""Width of counts of rows, so that a full window differs from an empty one."""


class SparseLane(wiring.Component):
    """Decodes a byte a cycle, reads the activation that it leads to, and adds up products until a row ends.

    A byte is a gap and the place of a value in the codebook. With a value, the lane passes over ``gap`` positions,
    multiplies the next one by the value, and stands behind it. Without one (place 0), it passes over
    ``2**gap_bits * (gap + 1)`` positions; but with all bits of the gap set, the row ends: its sum rests in the window,
    and the lane stands at the first position again. In LITERAL format the gap is the byte before, and the value any
    int8; 0 with gap 255 ends the row.

    Nothing waits: the lane takes a byte in every cycle in which there is one, and how long it takes depends on none.
    Its window holds ``SPARSE_WINDOW`` sums. A sum beyond that raises ``overflow``, and damages those that rest there.

    Members
    -------
    entry : In, 8
        The byte, as signed as its use.
    begin : In, 1
        The first byte of a run comes: nothing of before counts any more.
    loads_value : In, 1
        The byte is the value at place ``codebook_place``.
    codebook_place : In, range(32)
    loads_gap : In, 1
        The byte is the gap of the next one.
    steps : In, 1
        The byte moves the lane. At most one of these three is high.
    format : In, SparseFormat
    before : In, range(input_buffer)
        The entry of the input buffer before that of the first position, modulo its depth.
    address : Out, range(input_buffer)
        The entry of the activation, a cycle after its byte.
    activation : In, signed(8)
        The byte there, ``OperandBuffers.read_latency`` cycles after its address.
    taken : In, 5
        Rows whose sums have been taken from all windows, modulo 32; 0 in the cycle after ``clears``.
    clears : Out, 1
        In this cycle the lane forgets what it held; ``row_latency`` - 1 cycles after ``begin``.
    waits : Out, 1
        Row ``taken`` is summed up, from ``row_latency`` cycles after the byte that ended it on.
    takes : In, 1
        ``taken`` grows by one in the next cycle.
    sum : Out, signed(32)
        The sum of row ``taken``, a cycle later.
    overflow : Out, 1
        A row ended, ``row_latency`` - 1 cycles ago, for which the window has no room.
    """

    row_latency = 3 + OperandBuffers.read_latency
    """Cycles from the byte that ends a row to ``waits``: an address, its activation, the product, the sum."""

    def __init__(self, config: AcceleratorConfig) -> None:
        address = range(config.input_buffer)
        super().__init__(
            {
                "entry": In(8),
                "begin": In(1),
                "loads_value": In(1),
                "codebook_place": In(range(LARGEST_CODEBOOK)),
                "loads_gap": In(1),
                "steps": In(1),
                "format": In(SparseFormat),
                "before": In(address),
                "address": Out(address),
                "activation": In(signed(8)),
                "taken": In(ROWS_TAKEN_BITS),
                "clears": Out(1),
                "waits": Out(1),
                "takes": In(1),
                "sum": Out(signed(SUM_BITS)),
                "overflow": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ends_row, multiplies, distance = self._decode(m)
        with m.If(self.begin | ends_row):
            m.d.sync += self.address.eq(self.before)
        with m.Elif(self.steps):
            # One more than the distance: a carry, and no adder of its own.
            m.d.sync += self.address.eq(self.address + distance + 1)

        weights = [self._weight(m, multiplies)]
        ended = Signal(self.row_latency - 1)
        begun = Signal(self.row_latency - 1)
        m.d.sync += [ended.eq(Cat(ends_row, ended)), begun.eq(Cat(self.begin, begun))]
        for stage in range(OperandBuffers.read_latency):
            weight = Signal(signed(8), name=f"weight_{stage}", reset_less=True)
            m.d.sync += weight.eq(weights[-1])
            weights.append(weight)
        product = Signal(signed(16))
        total = Signal(signed(SUM_BITS))
        m.d.sync += [product.eq(self.activation * weights[-1]), total.eq(total + product)]
        with m.If(ended[-1] | begun[-1]):
            m.d.sync += total.eq(0)
        m.d.comb += self.clears.eq(begun[-1])
        self._keep(m, total, ended[-1])
        return m

    def _decode(self, m: Module) -> tuple[Value, Value, Value]:
        """Whether the byte ends a row, whether there is something to multiply, and what it passes over."""
        gap = Signal(8)
        distance = Signal(10)
        last = Signal()
        literal = self.format == SparseFormat.LITERAL
        with m.If(self.loads_gap):
            m.d.sync += gap.eq(self.entry)
        place = self._place()
        skips = place == 0
        m.d.comb += [distance.eq(gap), last.eq((self.entry == 0) & gap.all())]
        with m.Switch(self.format):
            for form in SPARSE_FORMATS:
                if form is not SparseFormat.LITERAL:
                    with m.Case(form):
                        own = self.entry[form.value_bits :]
                        ones = Const(-1, form.gap_bits)
                        m.d.comb += [distance.eq(Mux(skips, Cat(ones, own), own)), last.eq(skips & own.all())]
        return self.steps & last, self.steps & (literal | ~skips), distance

    def _place(self) -> Value:
        """The place in the codebook that the byte names."""
        wide = self.format == SparseFormat.GAP3_VALUE5
        narrow = self.format == SparseFormat.GAP5_VALUE3
        return Cat(self.entry[:3], self.entry[3] & ~narrow, self.entry[4] & wide)

    def _weight(self, m: Module, multiplies: Value) -> Value:
        """The value to multiply by, a cycle after the byte; 0 if there is none."""
        m.submodules.codebook = codebook = Memory(
            shape=8, depth=LARGEST_CODEBOOK, init=[], attrs=RamStyle.DISTRIBUTED.attributes
        )
        write, read = codebook.write_port(), codebook.read_port(domain="comb")
        weight = Signal(signed(8))
        m.d.comb += [
            write.en.eq(self.loads_value),
            write.addr.eq(self.codebook_place),
            write.data.eq(self.entry),
            read.addr.eq(self._place()),
        ]
        m.d.sync += weight.eq(Mux(self.format == SparseFormat.LITERAL, self.entry, read.data))
        with m.If(~multiplies):
            m.d.sync += weight.eq(0)
        return weight

    def _keep(self, m: Module, total: Value, ended: Value) -> None:
        """Sums rest in the window until those of all lanes are taken."""
        m.submodules.window = window = Memory(
            shape=signed(SUM_BITS), depth=SPARSE_WINDOW, init=[], attrs=RamStyle.DISTRIBUTED.attributes
        )
        write, read = window.write_port(), window.read_port(domain="comb")
        rows = Signal(ROWS_TAKEN_BITS)
        ahead = Signal(ROWS_TAKEN_BITS)
        m.d.comb += [
            ahead.eq(rows - self.taken),
            write.en.eq(ended),
            write.addr.eq(rows),
            write.data.eq(total),
            read.addr.eq(self.taken),
            self.waits.eq(rows != self.taken),
            self.overflow.eq(ended & (ahead >= SPARSE_WINDOW) & ~self.takes),
        ]
        m.d.sync += self.sum.eq(read.data)
        # The first byte of a run ends no row.
        with m.If(self.clears):
            m.d.sync += rows.eq(0)
        with m.Elif(ended):
            m.d.sync += rows.eq(rows + 1)
