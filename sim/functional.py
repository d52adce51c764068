"""The instruction set as an executable specification: programs run instruction by instruction, in numpy.

No time passes here. Each engine takes its instructions in order; which engine goes before the others
is drawn at random every now and then, so that engines run far apart, and a program which forgets to wait
for something comes out wrong under some seed. An instruction starts (takes its semaphores) and finishes
(has its effect, signals) in separate moves; what a LOAD is about to overwrite is scrambled in between.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from wingrid.hw.config import INSTRUCTION_BYTES, TABLE_ENTRIES, AcceleratorConfig
from wingrid.hw.encoding import ProgramError, decode
from wingrid.hw.isa import (
    FACTOR_BITS,
    INSTRUCTIONS,
    LARGEST_PIXEL_PITCH,
    PARAMETER_BYTES,
    PARAMETER_FIELDS,
    SEMAPHORE_BITS,
    Buffer,
    Combining,
    Execute,
    Instruction,
    Load,
    Semaphore,
    SparseFormat,
    Store,
    placed,
)
from wingrid.hw.winograd_matrices import KERNEL, winograd
from wingrid.sim.golden.coding import WeightCode
from wingrid.sim.golden.combination import combined
from wingrid.sim.golden.lookup import looked_up
from wingrid.sim.golden.requantise import requantise
from wingrid.sim.golden.sparse import SparseLanes, WindowOverflow
from wingrid.sim.golden.winograd import transform_inputs, transform_outputs, transform_weights
from wingrid.sim.traffic_classes import CLASS_OF_BUFFER, CLASSES

PATIENCE = 1 / 16
"""Chance with each move that the engines' order of precedence is drawn anew."""


class FunctionalMachine:
    """An accelerator of ``config`` with ``memory_bytes`` of memory (``memory``, uint8, read and write freely).

    ``traffic`` holds the bytes moved by the last run, by class. Seeds give different interleavings of
    the engines.
    """

    def __init__(self, config: AcceleratorConfig, memory_bytes: int, seed: int = 1) -> None:
        self.config = config
        self.memory = np.zeros(memory_bytes, np.uint8)
        self.traffic = dict.fromkeys(CLASSES, 0)
        self._random = np.random.default_rng(seed)
        self._buffers = {
            Buffer.INPUTS: self._noise(config.input_buffer),
            Buffer.WEIGHTS: self._noise(config.weight_buffer),
            Buffer.PARAMETERS: self._noise(config.parameter_entries),
            Buffer.TABLES: self._noise(config.table_entries),
            Buffer.ADDENDS: self._noise(config.addends),
            Buffer.CODES: self._noise(config.code_entries),
        }
        self._banks = self._random.integers(-(1 << 30), 1 << 30, (2, config.accumulators, config.cols))
        self._lanes = SparseLanes(config.rows)
        self._accumulators = [range(0), range(0)]  # of the last EXECUTE in each bank

    def run(self, program: int, length: int) -> None:
        """Carry out ``length`` instructions from byte address ``program`` on.

        Raises ``ProgramError`` for an illegal instruction, a bank in use by two engines, a semaphore
        beyond its count, signals left over at the end, or when no engine can go on.
        """
        self.traffic = dict.fromkeys(CLASSES, 0)
        waiting = deque(self._fetch(program, length))
        order: list[type[Instruction] | None] = [None, *INSTRUCTIONS]
        queues: dict[type[Instruction], deque[Instruction]] = {kind: deque() for kind in INSTRUCTIONS}
        active: dict[type[Instruction], Instruction] = {}
        tokens = dict.fromkeys(Semaphore, 0)
        while waiting or active or any(queues.values()):
            moves: list[type[Instruction] | None] = []
            storing = Store in active or queues[Store]
            fenced = waiting and isinstance(waiting[0], Load) and waiting[0].fence and storing
            if waiting and len(queues[type(waiting[0])]) < self.config.queue_depth and not fenced:
                moves.append(None)
            for kind in INSTRUCTIONS:
                ready = queues[kind] and all(tokens[semaphore] for semaphore in _bits(queues[kind][0].wait))
                if kind in active or ready:
                    moves.append(kind)
            if not moves:
                heads = [
                    f"{kind.opcode.name} waits with mask {queue[0].wait:#x}" for kind, queue in queues.items() if queue
                ]
                raise ProgramError(f"deadlock: {', '.join(heads)}")
            if self._random.random() < PATIENCE:
                self._random.shuffle(order)
            move = min(moves, key=order.index)
            if move is None:
                queues[type(waiting[0])].append(waiting.popleft())
            elif move in active:
                self._finish(instruction := active.pop(move))
                for semaphore in _bits(instruction.signal):
                    tokens[semaphore] += 1
                    if tokens[semaphore] >= 1 << SEMAPHORE_BITS:
                        raise ProgramError(f"semaphore {semaphore.name} exceeds its {SEMAPHORE_BITS} bits")
            else:
                active[move] = instruction = queues[move].popleft()
                for semaphore in _bits(instruction.wait):
                    tokens[semaphore] -= 1
                self._start(instruction, active)
        left = [semaphore.name for semaphore, count in tokens.items() if count]
        if left:
            raise ProgramError(f"the program ends with signals that nobody took: {', '.join(left)}")

    def _fetch(self, program: int, length: int) -> list[Instruction]:
        self.traffic["instructions"] = length * INSTRUCTION_BYTES
        words = self.memory[program : program + length * INSTRUCTION_BYTES].tobytes()
        instructions = []
        for start in range(0, len(words), INSTRUCTION_BYTES):
            instruction = decode(words[start : start + INSTRUCTION_BYTES])
            for name, mask, allowed in (
                ("wait", instruction.wait, instruction.waits),
                ("signal", instruction.signal, instruction.signals),
            ):
                if not set(_bits(mask)) <= allowed:
                    raise ProgramError(f"{instruction.opcode.name} may not {name} with mask {mask:#x}")
            instructions.append(instruction)
        return instructions

    def _start(self, instruction: Instruction, active: dict[type[Instruction], Instruction]) -> None:
        if isinstance(instruction, Load):
            buffer = Buffer(instruction.buffer)
            entries = self._destinations(instruction)
            self._buffers[buffer][entries] = self._noise(len(entries))
        else:
            banks = [other.bank for other in active.values() if isinstance(other, Execute | Store)]
            if len(banks) > len(set(banks)):
                raise ProgramError(f"EXECUTE and STORE use bank {banks[0]} at the same time")

    def _finish(self, instruction: Instruction) -> None:
        if isinstance(instruction, Load):
            self._load(instruction)
        elif isinstance(instruction, Execute):
            self._execute(instruction)
        elif isinstance(instruction, Store):
            self._store(instruction)

    def _load(self, load: Load) -> None:
        bus = self.config.bus_bytes
        runs = load.source + np.arange(load.runs) * load.run_pitch
        beats = (runs[:, None] + np.arange(load.run_beats) * bus).reshape(-1)
        if load.source % bus or load.run_pitch % bus or beats.max() + bus > len(self.memory):
            raise ProgramError(f"LOAD from {load.source:#x} leaves memory or is not aligned")
        buffer = Buffer(load.buffer)
        self._buffers[buffer][self._destinations(load)] = self.memory.reshape(-1, bus)[beats // bus].view(np.int8)
        self.traffic[CLASS_OF_BUFFER[buffer]] += len(beats) * bus

    def _destinations(self, load: Load) -> npt.NDArray[np.int64]:
        depth = len(self._buffers[Buffer(load.buffer)])
        if load.destination >= depth:
            raise ProgramError(f"LOAD destination {load.destination} is beyond the buffer's {depth} entries")
        beats = load.runs * load.run_beats
        if beats > load.row_beats and depth & (depth - 1):
            raise ProgramError(f"LOAD fills several rows of a buffer whose depth of {depth} is no power of two")
        row, column = np.divmod(np.arange(beats), load.row_beats)
        block, row = np.divmod(row, load.rows)
        return (load.destination + block * load.block_pitch + row * load.row_pitch + column) % depth

    def _execute(self, execute: Execute) -> None:
        config = self.config
        positions = winograd(execute.tile).patch ** 2 if execute.tile else 1
        if execute.accumulator_base + execute.count * positions > config.accumulators:
            raise ProgramError(f"EXECUTE ends beyond the {config.accumulators} accumulators of a bank")
        if execute.accumulator_base in self._accumulators[execute.bank][1:]:
            raise ProgramError("EXECUTE begins amid the accumulators of the one before in its bank")
        self._accumulators[execute.bank] = range(
            execute.accumulator_base, execute.accumulator_base + execute.count * positions
        )
        if execute.input_base >= config.input_buffer or execute.weight_base >= config.weight_buffer:
            raise ProgramError("EXECUTE begins beyond the end of a buffer")
        if execute.sparse:
            self._sparse(execute)
            return
        row, u = _raster_walk(execute.first, execute.stride_x, execute.last, execute.count)
        block, ky, kx = (
            axis.reshape(-1, 1)
            for axis in np.indices((execute.blocks, execute.kernel_height, execute.kernel_width)).reshape(3, -1)
        )
        entry = (
            execute.input_base
            + row * execute.row_pitch
            + u
            + block * execute.block_pitch
            + ky * execute.tap_row_pitch
            + kx * execute.tap_pitch
        )
        y = execute.top + row * execute.stride_y + ky * execute.dilation_y
        x = execute.left + u + kx * execute.tap_pitch
        inside = (y >= 0) & (y < execute.image_height) & (x >= 0) & (x < execute.image_width)
        pixels = self._buffers[Buffer.INPUTS][entry % config.input_buffer, : config.rows]
        vectors = np.where(inside[..., None], pixels, np.int8(execute.zero_point))

        count = execute.blocks * KERNEL**2 if execute.tile else len(block)
        weights = self._buffers[Buffer.WEIGHTS][:, : config.cols]
        if execute.coded:
            if not config.decoders or execute.coded > 1 or not execute.tile:
                raise ProgramError(f"EXECUTE has coded {execute.coded} and tile {execute.tile}")
            code = WeightCode(self._buffers[Buffer.CODES], config)
            entries = code.decoded(weights, execute.weight_base, execute.blocks)
        else:
            entries = weights[(execute.weight_base + np.arange(count * config.rows)) % config.weight_buffer]
        tiles = entries.reshape(count, config.rows, config.cols)
        tiles = tiles[:, ::-1]  # Rows lie last first.
        if execute.tile:
            sums = self._winograd_sums(execute, vectors, tiles)
        else:
            # Float64 is exact: a product has 14 bits, so even 2**39 of them add up without rounding.
            sums = np.einsum("tnr,trc->nc", vectors.astype(float), tiles.astype(float), optimize=True)
        here = slice(execute.accumulator_base, execute.accumulator_base + len(sums))
        old = self._banks[execute.bank, here] if execute.accumulate else 0
        self._banks[execute.bank, here] = _wrap(old + sums.astype(np.int64), config.accumulator_bits)

    def _sparse(self, execute: Execute) -> None:
        config = self.config
        if not config.sparse or execute.sparse >= len(SparseFormat) or execute.tile:
            raise ProgramError(f"EXECUTE has sparse format {execute.sparse} and tile {execute.tile}")
        if not execute.accumulate:
            self._lanes = SparseLanes(config.rows)
        entries = (execute.weight_base + np.arange(execute.blocks)) % config.weight_buffer
        streams = self._buffers[Buffer.WEIGHTS][entries, : config.rows].view(np.uint8)
        inputs = self._buffers[Buffer.INPUTS][:, : config.rows]
        try:
            self._lanes.feed(streams, SparseFormat(execute.sparse), inputs, execute.input_base)
        except WindowOverflow as error:
            raise ProgramError(f"EXECUTE: {error}") from None
        rows = self._lanes.rows()[: execute.count * config.cols]
        vectors = rows[: len(rows) // config.cols * config.cols].reshape(-1, config.cols)
        self._banks[execute.bank, execute.accumulator_base : execute.accumulator_base + len(vectors)] = vectors

    def _winograd_sums(
        self, execute: Execute, vectors: npt.NDArray[np.int8], tiles: npt.NDArray[np.int8]
    ) -> npt.NDArray[np.float64]:
        """[position, tile; cols] from vectors [block, tap; tile; rows] and weights [block, tap; rows; cols]."""
        size = winograd(execute.tile).patch
        patches = vectors.reshape(execute.blocks, size, size, execute.count, -1).transpose(0, 3, 4, 1, 2)
        kernels = tiles.reshape(execute.blocks, KERNEL, KERNEL, *tiles.shape[1:]).transpose(0, 3, 4, 1, 2)
        v, u = transform_inputs(patches, execute.tile), transform_weights(kernels, execute.tile)
        # V[i][j] with i fastest; a sum of 15 x 14 bit products stays far below 2**53.
        sums = np.einsum("bnrij,brcij->jinc", v.astype(float), u.astype(float), optimize=True)
        return sums.reshape(size * size * execute.count, -1)

    def _store(self, store: Store) -> None:
        config, bus = self.config, self.config.bus_bytes
        if store.pool and (store.first if not store.tile else (store.pool, store.pool_stride) != (2, 2)):
            raise ProgramError(
                f"STORE cannot pool {store.pool}x{store.pool} at stride {store.pool_stride} "
                f"from column {store.first} on with tile {store.tile}"
            )
        if store.pixel_pitch == 1 or store.pixel_pitch > (0 if store.tile else LARGEST_PIXEL_PITCH):
            raise ProgramError(f"STORE cannot write pixels {store.pixel_pitch} beats apart with tile {store.tile}")
        accumulators = _drained(store)
        if accumulators.max() >= config.accumulators or store.first >= store.width:
            raise ProgramError(f"STORE ends beyond the {config.accumulators} accumulators or begins outside of its row")
        planes = self._buffers[Buffer.PARAMETERS].reshape(-1, PARAMETER_BYTES, bus)[store.parameter_block]
        bias, scales = _parameters(planes[:, : config.cols].view(np.uint8))
        acc = self._banks[store.bank, accumulators].T
        if store.tile:
            patch = winograd(store.tile).patch
            blocks = acc.reshape(config.cols, patch, patch, store.count).transpose(0, 3, 2, 1)
            acc = transform_outputs(blocks, store.tile, config.accumulator_bits).reshape(config.cols, -1)
        pixels = requantise(
            _wrap(acc + bias[:, None], 32),
            scales,
            zero_point=store.zero_point,
            minimum=store.minimum,
            maximum=store.maximum,
        )
        if store.table:
            if store.table > config.tables:
                raise ProgramError(f"STORE looks up table {store.table - 1} of {config.tables}")
            tables = self._buffers[Buffer.TABLES].reshape(config.tables, TABLE_ENTRIES, bus)
            pixels = looked_up(pixels, tables[store.table - 1, :, : config.cols].T)
        if store.combination:
            pixels = self._combined(store, pixels)
        results = _pooled(store, pixels)
        size = (store.tile // 2 if store.pool else store.tile) or 1
        tile_row, tile_column = np.divmod(store.first // size + np.arange(store.count), -(-store.width // size))
        row = (tile_row[:, None, None] * size + np.arange(size)[:, None] + np.zeros((size, size), np.int64)).reshape(-1)
        column = (tile_column[:, None, None] * size + np.zeros((size, size), np.int64) + np.arange(size)).reshape(-1)
        counts = (column < store.width) & ((row < store.lines) | (store.tile == 0))
        addresses = (store.destination + row * store.row_pitch + column * (store.pixel_pitch or 1) * bus)[counts]
        if store.destination % bus or store.row_pitch % bus or addresses.max() + bus > len(self.memory):
            raise ProgramError(f"STORE to {store.destination:#x} leaves memory or is not aligned")
        beats = np.zeros((len(addresses), bus), np.int8)
        beats[:, : config.cols] = results.T[counts]
        self.memory.reshape(-1, bus)[addresses // bus] = beats.view(np.uint8)
        self.traffic["results"] += len(addresses) * bus

    def _combined(self, store: Store, pixels: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """What becomes of [cols, results] with what the addend buffer has for them."""
        if store.addend_base >= self.config.addends:
            raise ProgramError(f"STORE begins at entry {store.addend_base} of {self.config.addends} addends")
        if store.combination >= len(Combining):
            raise ProgramError(f"STORE combines in a way {store.combination} that there is none of")
        if store.broadcast > 1:
            raise ProgramError(f"STORE broadcasts in a way {store.broadcast} that there is none of")
        widest = 1 << FACTOR_BITS - 1
        if not all(-widest <= factor < widest for factor in (store.factor, store.addend_factor)):
            raise ProgramError(f"STORE combines with a factor of more than {FACTOR_BITS} bits")
        steps = np.zeros(pixels.shape[1], np.int64) if store.broadcast else np.arange(pixels.shape[1])
        entries = (store.addend_base + steps) % self.config.addends
        addends = self._buffers[Buffer.ADDENDS][entries, : self.config.cols].T
        return combined(
            store.combination,
            pixels,
            addends,
            store.factor,
            store.addend_factor,
            store.offset,
            store.result_zero,
            store.addend_zero,
        )

    def _noise(self, entries: int) -> npt.NDArray[np.int8]:
        return self._random.integers(-128, 128, (entries, self.config.bus_bytes), np.int8)


def _drained(store: Store) -> npt.NDArray[np.int64]:
    """The accumulators that a STORE reads, one or more for each pixel; those of a pooling window successively."""
    if store.pool and not store.tile:
        j, i = (axis.reshape(-1, 1, 1) for axis in np.divmod(np.arange(store.count), store.width))
        y, x = np.arange(store.pool)[:, None], np.arange(store.pool)
        offsets = j * store.sum_row_pitch + i * store.pool_stride + y * store.sum_pitch + x
    else:
        offsets = np.arange(store.count * (winograd(store.tile).patch ** 2 if store.tile else 1))
    return store.accumulator_base + offsets.reshape(-1)


def _pooled(store: Store, pixels: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """The results for the pixels [cols, ...] of a STORE: the maximum of each window if it pools."""
    if not store.pool:
        return pixels
    lanes, half = len(pixels), store.tile // 2
    if not store.tile:
        return pixels.reshape(lanes, store.count, -1).max(axis=2)
    return pixels.reshape(lanes, store.count, half, 2, half, 2).max(axis=(3, 5)).reshape(lanes, -1)


def _raster_walk(first: int, step: int, last: int, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    rows, columns = np.empty(count, np.int64), np.empty(count, np.int64)
    row, column = 0, first
    for index in range(count):
        rows[index], columns[index] = row, column
        column += step
        if column > last:
            row, column = row + 1, 0
    return rows, columns


def _parameters(planes: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Biases and scales from the byte planes [PARAMETER_BYTES, cols] of a channel block."""
    words = np.zeros(planes.shape[1], np.uint64)
    for byte, plane in enumerate(planes):
        words |= plane.astype(np.uint64) << np.uint64(8 * byte)
    fields = {}
    for name, bits, offset in placed(PARAMETER_FIELDS):
        fields[name] = ((words >> np.uint64(offset)) & np.uint64((1 << bits.width) - 1)).astype(np.int64)
    bias = _wrap(fields["bias"], 32)
    exponent = _wrap(fields["exponent"], 8)
    return bias, np.ldexp(fields["mantissa"].astype(np.float64), exponent - 23).astype(np.float32)


def _wrap(values: npt.NDArray[np.int64], bits: int) -> npt.NDArray[np.int64]:
    """The signed value of the low ``bits`` bits."""
    half = np.int64(1 << (bits - 1))
    return ((values + half) & np.int64((1 << bits) - 1)) - half


def _bits(mask: int) -> list[Semaphore]:
    return [Semaphore(bit) for bit in range(8) if mask >> bit & 1]
