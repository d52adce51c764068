"""The instruction set: 64-byte instructions, engines, and the semaphores between them.

Every instruction is self-contained (no mode registers) and occupies ``INSTRUCTION_BYTES`` in memory,
little-endian, fields in the order in which they are declared here, starting with the opcode byte.
There is no instruction that ends a program: the host writes its length to a register, so that the
machine fetches exactly that much, and it is done when every engine is idle and every write acknowledged.
``docs/isa.md`` explains what each one does; this module is the only place that states the format.
``wingrid.hw.encoding`` makes bytes of it, and ``wingrid.hw.layouts`` what gateware takes apart.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from wingrid.hw.config import INSTRUCTION_BYTES


class Bits(NamedTuple):
    """The format of an integer."""

    width: int
    signed: bool = False


def placed(fields: Mapping[str, Bits]) -> Iterator[tuple[str, Bits, int]]:
    """Name, format and offset in bits of fields that lie one behind the other, the first one lowest."""
    offset = 0
    for name, bits in fields.items():
        yield name, bits, offset
        offset += bits.width


PARAMETER_FIELDS = {"bias": Bits(32, signed=True), "mantissa": Bits(24), "exponent": Bits(8, signed=True)}
"""An output channel's parameters: its requantisation scale is ``mantissa * 2**(exponent - 23)``, where
mantissa lies in [2**23, 2**24), or is 0 for a scale of 0."""

PARAMETER_BYTES = sum(bits.width for bits in PARAMETER_FIELDS.values()) // 8
"""A channel block's parameters lie in memory as this many beats; beat i holds byte i of each channel."""


FACTOR_BITS = 25
"""Signed width of the factors with which a STORE combines its results with another tensor. With three bits less a third
of ONNX Runtime's additions could not be expressed, and with more no others can."""

ADDITION_FRACTION_BITS = 22
"""Bits of an adding STORE's factors behind the binary point: they lie between -4 and 4."""

PRODUCT_FRACTION_BITS = 28
"""The same of the factor of a multiplying STORE, which lies between -1/16 and 1/16: products of two bytes are large.
Of random multiplications of ONNX Runtime 99 in 100 can be expressed with as many, and no more with further ones; with
two less 9 in 10."""

PIXEL_PITCH_BITS = 4
"""Width of a STORE's ``pixel_pitch``. Each bit is an adder of the store engine; transposed convolutions and
interpolations of networks have strides up to 8."""

OPCODE_BITS = 8


class Opcode(enum.IntEnum):
    """What an instruction does. Zero is illegal, so that cleared memory stops the machine."""

    LOAD = 1
    EXECUTE = 2
    STORE = 3


class Buffer(enum.IntEnum):
    """Destination of a LOAD."""

    INPUTS = 0
    WEIGHTS = 1
    PARAMETERS = 2
    TABLES = 3
    ADDENDS = 4
    CODES = 5


class Combining(enum.IntEnum):
    """What a STORE does with its results and the addend buffer."""

    NONE = 0
    SUM = 1
    PRODUCT = 2


class Semaphore(enum.IntEnum):
    """Counting semaphores, and their bits in wait and signal masks; one engine signals each, another one waits for it.

    The execute engine takes weights and vectors apart, so the load engine announces them apart.
    """

    WEIGHTS_LOADED = 0
    INPUTS_LOADED = 1
    PARAMETERS_LOADED = 2
    OPERANDS_RELEASED = 3
    SUMS_READY = 4
    BANK_RELEASED = 5
    PARAMETERS_RELEASED = 6


class SparseFormat(enum.IntEnum):
    """What a byte of a sparse stream means to its lane (``docs/isa.md``); 0 for weights that are no streams.

    Of all but LITERAL, the low ``value_bits`` bits are the value's place in the codebook, the others the gap.
    """

    DENSE = 0
    GAP4_VALUE4 = 1
    GAP3_VALUE5 = 2
    GAP5_VALUE3 = 3
    LITERAL = 4

    @property
    def value_bits(self) -> int:
        """Bits of a byte that name a value; 8 where a value takes a byte of its own, behind that of its gap."""
        return {1: 4, 2: 5, 3: 3, 4: 8}[self.value]

    @property
    def gap_bits(self) -> int:
        """Bits of a gap."""
        return 8 if self is SparseFormat.LITERAL else 8 - self.value_bits

    @property
    def codebook_entries(self) -> int:
        """Entries of the weight buffer, at the head of the streams, that hold the lanes' codebooks."""
        return 0 if self is SparseFormat.LITERAL else 1 << self.value_bits


SPARSE_FORMATS = tuple(form for form in SparseFormat if form is not SparseFormat.DENSE)

LARGEST_CODEBOOK = max(form.codebook_entries for form in SPARSE_FORMATS)
"""Places of a sparse lane's codebook."""

SPARSE_WINDOW = 16
"""Rows that a lane may have summed up before the slowest lane has summed up the first of them."""

CODE_PREFIX_BITS = 5
"""Bits at the beginning of a code that tell how long it is."""

LONGEST_CODE = 12
"""Most bits of a code for a weight."""

CODE_RING = 32
"""Words of its stream that a decoder holds."""

CODE_WORDS_APART = 24
"""Words by which a decoder may be ahead of the slowest one, so that what it needs has always come.

An entry is asked for when the slowest lane's ring has room for it, and used ``OperandBuffers.read_latency`` + 1 cycles
later at the earliest, in which that lane goes on by less than a word each; lanes look at a word and the next one, and
one place of a ring stays empty.
"""

CODE_HEAD_FIELDS = {"entries": Bits(5), "pace": Bits(3)}
"""In front of a raw tile's codes, in the first decoder's stream: the entries that the tile takes, modulo ``CODE_RING``,
and after how many rows, 2**pace, columns go round among decoders."""

LARGEST_PACE = 7
"""Of a code's head."""

CODE_HEAD_BITS = sum(bits.width for bits in CODE_HEAD_FIELDS.values())

PC_BITS = 24
"""Width of an instruction's index in its program."""

SEMAPHORE_BITS = 8
"""Width of a semaphore's count; exceeding it is a fault."""


class Fault(enum.IntEnum):
    """Why the machine stopped."""

    NONE = 0
    ILLEGAL_INSTRUCTION = 1
    ADDRESS_OUT_OF_BUFFER = 2
    READ_ERROR = 3
    WRITE_ERROR = 4
    BANK_CONFLICT = 5
    SEMAPHORE_OVERFLOW = 6
    DEADLOCK = 7


def _bits(width: int, signed: bool = False, default: int = 0) -> Any:  # noqa: ANN401 (what dataclasses.field claims to be)
    return dataclasses.field(default=default, metadata={"bits": Bits(width, signed)})


@dataclass(slots=True)
class Instruction:
    """Fields that every instruction begins with, and the packing that all share.

    ``wait`` and ``signal`` are masks over ``Semaphore``: an instruction starts when each semaphore it
    waits for is above zero, and takes one from each; it adds one to each that it signals when what
    the semaphore stands for has happened.
    """

    opcode: ClassVar[Opcode]
    waits: ClassVar[frozenset[Semaphore]]
    """Semaphores that this kind of instruction may wait for; one engine signals each of them, and one waits."""
    signals: ClassVar[frozenset[Semaphore]]
    """Semaphores that this kind of instruction may signal."""

    wait: int = _bits(8)
    signal: int = _bits(8)

    @classmethod
    def formats(cls) -> dict[str, Bits]:
        """The format of each field in the order in which they lie in memory, opcode first."""
        return {
            "opcode": Bits(OPCODE_BITS),
            **{field.name: field.metadata["bits"] for field in dataclasses.fields(cls)},
        }


@dataclass(slots=True)
class Load(Instruction):
    """Copy contiguous runs of memory into a buffer.

    Source: ``runs`` runs of ``run_beats`` beats, ``run_pitch`` bytes apart, from byte ``source``.
    Destination: consecutive beats fill rows of ``row_beats`` entries, ``row_pitch`` entries apart;
    after ``rows`` rows the next block starts ``block_pitch`` entries after the last one started.
    Buffer addresses wrap at the buffer's depth. Sizes are at least 1; addresses in memory are
    multiples of the bus width.

    With ``fence`` 1 it is dispatched, and so is all that follows, when memory has acknowledged the results of every
    STORE before it: what they wrote can be read.
    """

    opcode = Opcode.LOAD
    waits = frozenset({Semaphore.OPERANDS_RELEASED, Semaphore.PARAMETERS_RELEASED})
    signals = frozenset({Semaphore.WEIGHTS_LOADED, Semaphore.INPUTS_LOADED, Semaphore.PARAMETERS_LOADED})

    buffer: int = _bits(8)
    source: int = _bits(32)
    run_beats: int = _bits(32, default=1)
    runs: int = _bits(32, default=1)
    run_pitch: int = _bits(32)
    destination: int = _bits(32)
    row_beats: int = _bits(32, default=1)
    rows: int = _bits(32, default=1)
    row_pitch: int = _bits(32)
    block_pitch: int = _bits(32)
    fence: int = _bits(8)


@dataclass(slots=True)
class Execute(Instruction):
    """Multiply a run of vectors by consecutive weight tiles and add them up in an accumulator bank.

    For each of ``blocks`` input channel blocks, each of ``kernel_height`` x ``kernel_width`` taps:
    take the next weight tile (``rows`` entries of the weight buffer, from ``weight_base`` on) and
    stream ``count`` vectors through it. Vector i goes to accumulator ``accumulator_base`` + i;
    the first tap of the first block overwrites if ``accumulate`` is 0, all others add.

    The vectors are a raster walk: column position u starts at ``first``, advances by ``stride_x``
    and, past ``last``, returns to 0 one row down. All of first and last are in input columns. Row j,
    position u, tap (ky, kx), block b lies at entry
    ``input_base + j*row_pitch + u + b*block_pitch + ky*tap_row_pitch + kx*tap_pitch`` and at image row
    ``top + j*stride_y + ky*dilation_y``, column ``left + u + kx*tap_pitch``; outside of
    ``image_height`` x ``image_width`` the vector is ``zero_point`` in every lane.

    With ``sparse``, a ``SparseFormat``, weights are streams of non-zeros, a byte of an entry for each of the array's
    ``rows`` lanes, and no mesh takes part: ``blocks`` entries are read from ``weight_base`` on, and each lane walks
    over the input buffer from ``input_base`` on. The sums of ``cols`` rows become an accumulator, ``count`` of them at
    most from ``accumulator_base`` on. With ``accumulate`` 0 the streams begin, with their codebooks; with 1 they go on
    where the EXECUTE before left them, and so does what it said of accumulators. ``tile`` is 0.

    With ``coded`` 1, the raw weight tiles of a Winograd EXECUTE are streams of codes, a word of an entry for each
    decoder, from ``weight_base`` on, and mean what the tables in the buffer CODES say.
    """

    opcode = Opcode.EXECUTE
    waits = frozenset({Semaphore.WEIGHTS_LOADED, Semaphore.INPUTS_LOADED, Semaphore.BANK_RELEASED})
    signals = frozenset({Semaphore.OPERANDS_RELEASED, Semaphore.SUMS_READY})

    bank: int = _bits(8)
    accumulate: int = _bits(8)
    tile: int = _bits(8)
    zero_point: int = _bits(8, signed=True)
    kernel_height: int = _bits(8, default=1)
    kernel_width: int = _bits(8, default=1)
    stride_y: int = _bits(8, default=1)
    stride_x: int = _bits(8, default=1)
    dilation_y: int = _bits(8, default=1)
    tap_pitch: int = _bits(8, default=1)
    count: int = _bits(16, default=1)
    blocks: int = _bits(16, default=1)
    first: int = _bits(16)
    last: int = _bits(16)
    top: int = _bits(16, signed=True)
    left: int = _bits(16, signed=True)
    image_height: int = _bits(16, default=1)
    image_width: int = _bits(16, default=1)
    accumulator_base: int = _bits(16)
    input_base: int = _bits(32)
    row_pitch: int = _bits(32)
    block_pitch: int = _bits(32)
    tap_row_pitch: int = _bits(32)
    weight_base: int = _bits(32)
    sparse: int = _bits(8)
    coded: int = _bits(8)


@dataclass(slots=True)
class Store(Instruction):
    """Drain accumulators through bias, requantisation and clamp to memory.

    With ``tile`` 0, accumulator ``accumulator_base`` + i of ``bank`` becomes pixel i of a raster walk that
    starts at column ``first`` and is ``width`` pixels wide. Else ``count`` tiles of n x n accumulators,
    as a Winograd EXECUTE of the same tile and count leaves them, become tile x tile pixels each;
    the walk goes from tile to tile, ``first`` and ``width`` are in pixels (first a multiple of the tile),
    and pixels beyond ``width`` or beyond ``lines`` rows are dropped. Rows of pixels lie ``row_pitch`` bytes
    apart; ``destination`` is the byte address of row 0, column 0. Pixels of a row follow each other, or lie
    ``pixel_pitch`` beats apart (0 for none, 1 is illegal, and so is any with a tile). Parameters come from block
    ``parameter_block`` of the parameter buffer.

    With ``table`` t > 0, each requantised and clamped result is replaced by what table t - 1 has for it.

    With a ``combination``, a ``Combining``, result i of those, in the order in which accumulators become results,
    meets entry ``addend_base`` + i of the addend buffer, or with ``broadcast`` 1 entry ``addend_base``, whatever i is.
    ``result_zero`` and ``addend_zero`` are taken away from them. The result is then replaced, for a SUM, by ``factor``
    times itself plus ``addend_factor`` times the entry plus ``offset``, divided by 2**22; for a PRODUCT, by ``factor``
    times both plus 2**6 times ``offset``, divided by 2**28. It is rounded half to even, and clamped to a byte.

    Max pooling, after that, with ``pool`` > 1, its window's side (0 for none, 1 is illegal). Pixels
    are then pooled ones throughout: ``first``, ``width`` and ``lines`` count them. With ``tile`` 0, ``count``
    windows at stride ``pool_stride`` are walked over, and ``first`` is 0; the window in row j, column i of the
    walk is the maximum over accumulators ``accumulator_base`` + j*``sum_row_pitch`` + i*``pool_stride`` +
    y*``sum_pitch`` + x for x and y below ``pool``. With a tile, ``pool`` and ``pool_stride`` are 2: each tile
    becomes tile/2 x tile/2 pixels.
    """

    opcode = Opcode.STORE
    waits = frozenset({Semaphore.SUMS_READY, Semaphore.PARAMETERS_LOADED})
    signals = frozenset({Semaphore.BANK_RELEASED, Semaphore.PARAMETERS_RELEASED})

    bank: int = _bits(8)
    tile: int = _bits(8)
    zero_point: int = _bits(8, signed=True)
    minimum: int = _bits(8, signed=True, default=-128)
    maximum: int = _bits(8, signed=True, default=127)
    count: int = _bits(16, default=1)
    accumulator_base: int = _bits(16)
    parameter_block: int = _bits(16)
    first: int = _bits(16)
    width: int = _bits(16, default=1)
    lines: int = _bits(16, default=1)
    destination: int = _bits(32)
    row_pitch: int = _bits(32)
    pool: int = _bits(8)
    pool_stride: int = _bits(8)
    sum_pitch: int = _bits(16)
    sum_row_pitch: int = _bits(16)
    table: int = _bits(16)
    combination: int = _bits(8)
    addend_base: int = _bits(16)
    factor: int = _bits(32, signed=True)
    addend_factor: int = _bits(32, signed=True)
    offset: int = _bits(32, signed=True)
    broadcast: int = _bits(8)
    result_zero: int = _bits(8, signed=True)
    addend_zero: int = _bits(8, signed=True)
    pixel_pitch: int = _bits(8)


INSTRUCTIONS: tuple[type[Instruction], ...] = (Load, Execute, Store)

WORD_BITS = max(sum(bits.width for bits in kind.formats().values()) for kind in INSTRUCTIONS)
"""Bits of an instruction that carry fields; the rest of its bytes is ignored."""

assert WORD_BITS <= 8 * INSTRUCTION_BYTES


def mask(semaphores: Iterable[Semaphore]) -> int:
    """The wait or signal mask with these semaphores' bits set."""
    return sum(1 << semaphore for semaphore in set(semaphores))


def largest(kind: type[Instruction], name: str) -> int:
    """The largest value that a field of an instruction can hold."""
    bits = kind.formats()[name]
    return (1 << bits.width - bits.signed) - 1


LARGEST_KERNEL = largest(Execute, "kernel_height")
"""Most taps of an EXECUTE along an axis."""

LARGEST_STRIDE = largest(Execute, "stride_y")
"""Longest step of an EXECUTE between outputs, and between taps, along an axis; of pooling windows too."""

LARGEST_BLOCKS = largest(Execute, "blocks")
"""Most input channel blocks of an EXECUTE."""

LARGEST_POSITION = largest(Execute, "top")
"""The last row or column of an image that an EXECUTE can start from."""

POSITION_BITS = LARGEST_POSITION.bit_length() + 3
"""Signed width of image rows and columns: a start of 16 bits, plus any walk that stays in 17 bits."""

LARGEST_PIXEL_PITCH = (1 << PIXEL_PITCH_BITS) - 1
"""Most beats from a pixel that a STORE writes to the next one of its row."""
