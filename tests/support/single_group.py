"""A convolution small enough for the buffers, compiled and computed by hand.

Deliberately neither the host's compiler nor the golden model: what they misunderstand, this does not share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.encoding import encode_program
from wingrid.hw.isa import PARAMETER_BYTES, Buffer, Execute, Instruction, Load, Semaphore, Store, mask
from wingrid.hw.layouts import PARAMETER_LAYOUT

PROGRAM, INPUTS, WEIGHTS, PARAMETERS, RESULTS = 0x0000, 0x2000, 0x6000, 0xA000, 0xB000
MEMORY_BYTES = 0x10000


@dataclass
class SingleGroup:
    """A program, the memory that it starts from, and the results that it must leave."""

    instructions: list[Instruction]
    memory: np.ndarray
    expected: np.ndarray
    """uint8, what RESULTS must hold."""

    @property
    def length(self) -> int:
        return len(self.instructions)


def build(
    config: AcceleratorConfig,
    *,
    seed: int = 1,
    channels: int = 6,
    filters: int = 7,
    height: int = 5,
    width: int = 6,
    kernel: int = 3,
    padding: int = 1,
    x_zero_point: int = -3,
    y_zero_point: int = 5,
    tile: int = 0,
    pool: int = 0,
    pool_stride: int = 2,
    alternating: tuple[int, int] | None = None,
    sparse: bool = False,
) -> SingleGroup:
    """A stride-1 convolution whose operands and sums all fit the buffers at once; ``tile`` 2 or 4 for Winograd,
    ``pool`` the side of max pooling windows or 0 for none.

    With ``sparse`` it is one pixel, and weights are sparse streams, in the format that needs no codebook: all of them,
    zeros too, each behind a gap of 0.

    Pixels and weights are random, or go from one of two values to the other and back along every axis.
    """
    random = np.random.default_rng(seed)
    x = random.integers(-128, 128, (channels, height, width)).astype(np.int8)
    weights = random.integers(-128, 128, (filters, channels, kernel, kernel)).astype(np.int8)
    bias = random.integers(-1000, 1000, filters).astype(np.int32)
    scales = (random.uniform(0.5, 2.0, filters) * 1e-3).astype(np.float32)
    if alternating is not None:
        x, weights = (
            np.array(alternating, np.int8)[np.indices(operand.shape).sum(axis=0) % 2] for operand in (x, weights)
        )
        # The largest sums come near the ends of int8, and not all of them beyond.
        scales = (random.uniform(0.5, 1.0, filters) * 128 / (channels * kernel**2 * 128 * 128)).astype(np.float32)
    out_height, out_width = height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1
    surrounded = np.pad(x.astype(np.int64) - x_zero_point, ((0, 0), (padding, padding), (padding, padding)))
    sums = np.zeros((filters, out_height, out_width), np.int64)
    for ky, kx in np.ndindex(kernel, kernel):
        window = surrounded[:, ky : ky + out_height, kx : kx + out_width]
        sums += np.einsum("kc,chw->khw", weights[:, :, ky, kx].astype(np.int64), window)
    scaled = (sums + bias[:, None, None]).astype(np.float32) * scales[:, None, None]
    y = np.clip(np.rint(scaled) + y_zero_point, -128, 127).astype(np.int8)
    stored_height, stored_width = out_height, out_width
    if pool:
        stored_height, stored_width = ((size - pool) // pool_stride + 1 for size in (out_height, out_width))
        windows = np.lib.stride_tricks.sliding_window_view(y, (pool, pool), axis=(1, 2))
        y = windows[:, ::pool_stride, ::pool_stride].max(axis=(3, 4))
    stored = stored_height * stored_width

    blocks, out_blocks = -(-channels // config.rows), -(-filters // config.cols)
    folded_bias = bias - x_zero_point * weights.sum(axis=(1, 2, 3), dtype=np.int64)
    memory = np.zeros(MEMORY_BYTES, np.uint8)

    padded = np.full((blocks * config.rows, height, width), x_zero_point, np.int8)
    padded[:channels] = x
    image = np.zeros((blocks, height, width, config.bus_bytes), np.int8)
    image[..., : config.rows] = padded.reshape(blocks, config.rows, height, width).transpose(0, 2, 3, 1)
    _put(memory, INPUTS, image)

    dense = np.zeros((out_blocks * config.cols, blocks * config.rows, kernel, kernel), np.int8)
    dense[:filters, :channels] = weights
    if sparse:
        steps = np.zeros((out_blocks * config.cols, blocks + 1, 2, config.bus_bytes), np.int8)
        steps[:, :-1, 1, : config.rows] = dense.reshape(-1, blocks, config.rows)
        steps[:, -1, 0] = -1
        entries = steps.reshape(-1, config.bus_bytes)
        _put(memory, WEIGHTS, entries)
    else:
        tiles = dense.reshape(out_blocks, config.cols, blocks, config.rows, kernel, kernel).transpose(0, 2, 4, 5, 3, 1)
        image = np.zeros((*tiles.shape[:-1], config.bus_bytes), np.int8)
        image[..., : config.cols] = tiles[..., ::-1, :]
        _put(memory, WEIGHTS, image)

    fraction, power = np.frexp(scales)
    words = np.zeros(out_blocks * config.cols, np.uint64)
    for channel in range(filters):
        fields = {
            "bias": int(folded_bias[channel]), "mantissa": int(fraction[channel] * 2**24),
            "exponent": int(power[channel]) - 1,
        }  # fmt: skip
        words[channel] = PARAMETER_LAYOUT.const(fields).as_value().value
    image = np.zeros((out_blocks, PARAMETER_BYTES, config.bus_bytes), np.uint8)
    image[..., : config.cols] = (
        words.view(np.uint8).reshape(out_blocks, config.cols, PARAMETER_BYTES).transpose(0, 2, 1)
    )
    _put(memory, PARAMETERS, image)

    # Lanes beyond the filters have a bias, a mantissa and hence a result of zero.
    expected = np.full((out_blocks * config.cols, stored), y_zero_point, np.int8)
    expected[:filters] = y.reshape(filters, stored)
    image = np.zeros((out_blocks, stored, config.bus_bytes), np.int8)
    image[..., : config.cols] = expected.reshape(out_blocks, config.cols, stored).transpose(0, 2, 1)

    step, taps = tile or 1, tile + kernel - 1 if tile else kernel
    columns, lines = -(-out_width // step), -(-out_height // step)
    tile_rows = blocks * kernel * kernel * config.rows
    weight_entries = len(entries) if sparse else out_blocks * tile_rows
    instructions: list[Instruction] = [
        Load(
            signal=mask([Semaphore.INPUTS_LOADED]), buffer=Buffer.INPUTS.value, source=INPUTS,
            run_beats=blocks * height * width, row_beats=width, rows=height, row_pitch=blocks * width,
            block_pitch=width,
        ),
        Load(
            signal=mask([Semaphore.WEIGHTS_LOADED]), buffer=Buffer.WEIGHTS.value, source=WEIGHTS,
            run_beats=weight_entries, row_beats=weight_entries,
        ),
        Load(
            signal=mask([Semaphore.PARAMETERS_LOADED]), buffer=Buffer.PARAMETERS.value, source=PARAMETERS,
            run_beats=out_blocks * PARAMETER_BYTES, row_beats=out_blocks * PARAMETER_BYTES,
        ),
    ]  # fmt: skip
    if sparse:
        # In two halves, of which the second goes on with what the first one left in the lanes.
        for half in range(2):
            waits = [] if half else [Semaphore.INPUTS_LOADED, Semaphore.WEIGHTS_LOADED]
            first, last = weight_entries * half // 2, weight_entries * (half + 1) // 2
            instructions.append(
                Execute(
                    wait=mask(waits), signal=mask([Semaphore.SUMS_READY] if half else []), accumulate=half, sparse=4,
                    count=out_blocks, blocks=last - first, weight_base=first,
                )
            )  # fmt: skip
        for block in range(out_blocks):
            instructions.append(
                Store(
                    wait=mask([Semaphore.SUMS_READY, Semaphore.PARAMETERS_LOADED] if block == 0 else []),
                    zero_point=y_zero_point, accumulator_base=block, parameter_block=block, row_pitch=config.bus_bytes,
                    destination=RESULTS + block * config.bus_bytes,
                )
            )  # fmt: skip
    for block in range(0 if sparse else out_blocks):
        waits = [Semaphore.INPUTS_LOADED, Semaphore.WEIGHTS_LOADED] if block == 0 else []
        waits += [Semaphore.BANK_RELEASED] if block >= 2 else []
        instructions.append(
            Execute(
                wait=mask(waits), signal=mask([Semaphore.SUMS_READY]), bank=block % 2, zero_point=x_zero_point,
                tile=tile, kernel_height=taps, kernel_width=taps, count=columns * lines, blocks=blocks,
                last=(columns - 1) * step, stride_x=step, stride_y=step,
                top=-padding, left=-padding, image_height=height, image_width=width,
                input_base=-padding * (blocks * width + 1) % config.input_buffer, row_pitch=step * blocks * width,
                block_pitch=width, tap_row_pitch=blocks * width, weight_base=block * tile_rows,
            )
        )  # fmt: skip
        instructions.append(
            Store(
                wait=mask([Semaphore.SUMS_READY, *([Semaphore.PARAMETERS_LOADED] if block == 0 else [])]),
                signal=mask([Semaphore.BANK_RELEASED] if block + 2 < out_blocks else []), bank=block % 2,
                tile=tile, zero_point=y_zero_point, count=stored if pool and not tile else columns * lines,
                parameter_block=block, width=stored_width, lines=stored_height, pool=pool, pool_stride=pool_stride,
                sum_pitch=out_width, sum_row_pitch=pool_stride * out_width,
                row_pitch=stored_width * config.bus_bytes, destination=RESULTS + block * stored * config.bus_bytes,
            )
        )  # fmt: skip
    _put(memory, PROGRAM, np.frombuffer(encode_program(instructions), np.uint8))
    return SingleGroup(instructions, memory, image.view(np.uint8).ravel())


def _put(memory: np.ndarray, address: int, image: np.ndarray) -> None:
    flat = np.ascontiguousarray(image).view(np.uint8).ravel()
    assert not memory[address : address + flat.size].any(), "regions overlap"
    memory[address : address + flat.size] = flat
