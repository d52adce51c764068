"""Lowering in C++: the same programs as ``lowering`` and ``synchronise`` write, for layers of millions of instructions.

A small accelerator takes a large layer apart into so many pieces that an object for each would cost minutes and
gigabytes. The plan, which is small, is described in arrays; the program comes back as it lies in memory. Tests hold
every byte against the Python, which stays the place where the compiler's decisions are explained.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wingrid.host.compiler.blocking import Box, balanced
from wingrid.host.compiler.coded_weights import CodedWeights
from wingrid.host.compiler.memory_map import MemoryMap, layer_tables, surface_of
from wingrid.host.compiler.plan import Plan
from wingrid.host.compiler.synchronise import MOST_PENDING
from wingrid.host.networks.layer import Combination, Layer, LayerError
from wingrid.hw.config import TABLE_ENTRIES
from wingrid.hw.isa import LARGEST_STRIDE, PARAMETER_BYTES, PC_BITS, Combining
from wingrid.hw.winograd_matrices import KERNEL
from wingrid.sim import cache, tools
from wingrid.sim.timing.build import SHARED, definitions

SOURCES = Path(__file__).resolve().parent / "native"
FLAGS = (*tools.COMPILER_FLAGS, "-O3", "-Wall", "-Wextra")

NO_BOX = -1

_NONE = Combination(Combining.NONE, 0)


def _combination(layer: Layer) -> Combination:
    """What the layer's results are combined with, or a combination of no kind."""
    return layer.combination or _NONE


NUMBERS: dict[str, Callable[[Layer, Plan, MemoryMap], int]] = {
    "rows": lambda layer, plan, memory: plan.config.rows,
    "input_buffer": lambda layer, plan, memory: plan.config.input_buffer,
    "weight_buffer": lambda layer, plan, memory: plan.config.weight_buffer,
    "parameter_blocks": lambda layer, plan, memory: plan.config.parameter_blocks,
    "bus_bytes": lambda layer, plan, memory: memory.bus_bytes,
    "weights": lambda layer, plan, memory: memory.weights,
    "parameters": lambda layer, plan, memory: memory.parameters,
    "tables": lambda layer, plan, memory: memory.tables,
    "layer_tables": lambda layer, plan, memory: layer_tables(layer, plan.blocking),
    "table_capacity": lambda layer, plan, memory: plan.config.tables,
    "addends": lambda layer, plan, memory: memory.addends,
    "addend_capacity": lambda layer, plan, memory: plan.config.addends,
    "images": lambda layer, plan, memory: plan.blocking.shape.images,
    "combination": lambda layer, plan, memory: _combination(layer).kind.value,
    "broadcast": lambda layer, plan, memory: int(_combination(layer).broadcast),
    "factor": lambda layer, plan, memory: _combination(layer).factor,
    "addend_factor": lambda layer, plan, memory: _combination(layer).addend_factor,
    "offset": lambda layer, plan, memory: _combination(layer).offset,
    "result_zero": lambda layer, plan, memory: _combination(layer).result_zero,
    "addend_zero": lambda layer, plan, memory: _combination(layer).addend_zero,
    "inputs": lambda layer, plan, memory: memory.inputs,
    "outputs": lambda layer, plan, memory: memory.outputs,
    "height": lambda layer, plan, memory: plan.blocking.walk.height,
    "width": lambda layer, plan, memory: plan.blocking.walk.width,
    "stride_y": lambda layer, plan, memory: plan.blocking.walk.stride[0],
    "stride_x": lambda layer, plan, memory: plan.blocking.walk.stride[1],
    "dilation_y": lambda layer, plan, memory: plan.blocking.walk.dilation[0],
    "dilation_x": lambda layer, plan, memory: plan.blocking.walk.dilation[1],
    "tap_pitch_y": lambda layer, plan, memory: plan.blocking.tap_pitch[0],
    "tap_pitch_x": lambda layer, plan, memory: plan.blocking.tap_pitch[1],
    "padding_top": lambda layer, plan, memory: plan.blocking.walk.padding[0],
    "padding_left": lambda layer, plan, memory: plan.blocking.walk.padding[1],
    "input_blocks": lambda layer, plan, memory: plan.blocking.input_blocks,
    "output_blocks": lambda layer, plan, memory: plan.blocking.output_blocks,
    "result_height": lambda layer, plan, memory: plan.blocking.shape.out_height,
    "result_width": lambda layer, plan, memory: plan.blocking.shape.out_width,
    "output_height": lambda layer, plan, memory: plan.blocking.output_size[0],
    "output_width": lambda layer, plan, memory: plan.blocking.output_size[1],
    "row_pixels": lambda layer, plan, memory: surface_of(layer, plan.blocking).row_pixels,
    "column_pixels": lambda layer, plan, memory: surface_of(layer, plan.blocking).column_step,
    "pixel_pitch": lambda layer, plan, memory: plan.blocking.pixel_pitch,
    "plane_pixels": lambda layer, plan, memory: surface_of(layer, plan.blocking).pixels,
    "tile": lambda layer, plan, memory: plan.blocking.tile,
    "positions": lambda layer, plan, memory: plan.blocking.positions,
    "pool_side": lambda layer, plan, memory: plan.blocking.pool.side if plan.blocking.pool else 0,
    "pool_stride": lambda layer, plan, memory: plan.blocking.pool.stride if plan.blocking.pool else 0,
    "largest_group": lambda layer, plan, memory: plan.largest,
    "x_zero_point": lambda layer, plan, memory: layer.x_zero_point,
    "y_zero_point": lambda layer, plan, memory: layer.y_zero_point,
    "minimum": lambda layer, plan, memory: layer.minimum,
    "maximum": lambda layer, plan, memory: layer.maximum,
}
"""Each number that lowering needs of a layer, its plan and its memory."""

COUNTS = ("region_count", "pass_count", "code_entries")
LISTS = {
    "regions": "Run",
    "groups": "Group",
    "passes": "Pass",
    "batches": "Run",
    "chunks": "int64_t",
    "windows": "int64_t",
    "boxes": "Box",
    "piece_runs": "Run",
    "pieces": "int64_t",
    "opening_runs": "Run",
    "openings": "int64_t",
    "origins": "int64_t",
    "starts": "int64_t",
}
"""Each list, and what it is of; all are made of 64-bit integers."""


class Description(ctypes.Structure):
    """The C++ structure of the same name."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in (*NUMBERS, *COUNTS)),
        *((name, ctypes.c_void_p) for name in LISTS),
    ]


def lowered(layer: Layer, plan: Plan, memory: MemoryMap, coded: CodedWeights | None = None) -> bytes:
    """The program of a layer by this plan, with tensors where ``memory`` has them.

    Raises ``LayerError`` if it is longer than a program can be.
    """
    lists = _lists(plan)
    lists["starts"] = coded.starts.astype(np.int64) if coded else np.zeros(0, np.int64)
    described = Description(
        **{name: number(layer, plan, memory) for name, number in NUMBERS.items()},
        region_count=len(lists["regions"]),
        pass_count=len(lists["passes"]),
        code_entries=plan.config.code_entries if coded else 0,
        **{name: content.ctypes.data for name, content in lists.items()},
    )
    native = _load()
    error = ctypes.create_string_buffer(1000)
    words = native.wingrid_lower(ctypes.byref(described), error, len(error))
    if not words:
        if error.value:
            raise ValueError(error.value.decode())
        require_short(layer, 1 << PC_BITS)
    try:
        content = ctypes.c_void_p()
        size = native.wingrid_words(words, ctypes.byref(content))
        return ctypes.string_at(content, size)
    finally:
        native.wingrid_release(words)


def least_instructions(plan: Plan) -> int:
    """How many instructions a program by this plan has at least: its EXECUTEs, if none opens a chunk, and STOREs."""
    groups = plan.blocking.shape.images * plan.strips * plan.groups
    pieces: dict[Box, int] = {}
    count = groups * plan.blocking.output_blocks
    for blocks in plan.output_passes():
        for chunk in plan.chunks(blocks) or ():
            for block in range(*blocks):
                if box := chunk.within(plan.blocking.visited(block)):
                    if box not in pieces:
                        pieces[box] = len(plan.pieces(box, opening=False))
                    count += groups * pieces[box]
    return count


def require_short(layer: Layer, instructions: int) -> None:
    """Raise ``LayerError`` for more instructions than a program can have."""
    if instructions >= 1 << PC_BITS:
        raise LayerError(
            f"layer {layer.name} takes more than the {(1 << PC_BITS) - 1} instructions that a program can have; "
            "larger buffers need fewer"
        )


def _lists(plan: Plan) -> dict[str, npt.NDArray[np.int64]]:
    """What ``LISTS`` names, row after row."""
    blocking = plan.blocking
    boxes = _Boxes(plan)
    regions: list[tuple[int, int]] = []
    groups: list[tuple[int, ...]] = []
    for region in plan.region_groups():
        regions.append((len(groups), len(groups) + len(region)))
        groups += [(g.strip.image, g.strip.start, g.strip.stop, g.first, g.count) for g in region]
    passes: list[tuple[int, ...]] = []
    batches: list[tuple[int, int]] = []
    chunks: list[int] = []
    windows: list[int] = []
    for blocks in plan.output_passes():
        boxed = plan.chunks(blocks)
        assert boxed is not None, "the tiler only returns plans that fit"
        count = blocks[1] - blocks[0]
        parts = -(-count // (plan.batch if len(boxed) > 1 else 1))
        cut = [(blocks[0] + start, blocks[0] + stop) for start, stop in balanced(count, parts)]
        passes.append(
            (
                *blocks,
                *(len(chunks), len(chunks) + len(boxed)),
                *(len(batches), len(batches) + len(cut)),
                len(windows),
            )
        )
        batches += cut
        for chunk in boxed:
            chunks.append(boxes.number(chunk))
            for block in range(*blocks):
                box = chunk.within(blocking.visited(block))
                windows.append(boxes.with_pieces(box) if box else NO_BOX)
    found: dict[str, Iterable[Any]] = {
        "regions": regions,
        "groups": groups,
        "passes": passes,
        "batches": batches,
        "chunks": chunks,
        "windows": windows,
        "origins": blocking.tile_origins,
        **boxes.lists(),
    }
    return {name: np.array(content, np.int64) for name, content in found.items()}


class _Boxes:
    """Boxes by number, each with the pieces that it is cut into, and each piece with its opening parts."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._numbers: dict[Box, int] = {}
        self._pieces: dict[int, list[int]] = {}
        self._openings: dict[int, list[int]] = {}

    def number(self, box: Box) -> int:
        return self._numbers.setdefault(box, len(self._numbers))

    def with_pieces(self, box: Box) -> int:
        number = self.number(box)
        if number not in self._pieces:
            self._pieces[number] = []
            for piece in self._plan.pieces(box, opening=False):
                self._pieces[number].append(self._with_opening(piece))
        return number

    def _with_opening(self, piece: Box) -> int:
        number = self.number(piece)
        if number not in self._openings:
            self._openings[number] = [self.number(part) for part in self._plan.pieces(piece, opening=True)]
        return number

    def lists(self) -> dict[str, list[Any]]:
        blocking = self._plan.blocking
        boxes = [
            (
                *(*box.blocks, *box.rows, *box.columns),
                *blocking.steps(box),
                blocking.weight_tiles(box),
                blocking.tile_offset(box),
            )
            for box in self._numbers
        ]
        piece_runs, pieces = _joined(self._pieces, len(boxes))
        opening_runs, openings = _joined(self._openings, len(boxes))
        return {
            "boxes": boxes,
            "piece_runs": piece_runs,
            "pieces": pieces,
            "opening_runs": opening_runs,
            "openings": openings,
        }


def _joined(lists: dict[int, list[int]], count: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Lists by number as one, and from where to where each is in it."""
    runs: list[tuple[int, int]] = []
    joined: list[int] = []
    for number in range(count):
        members = lists.get(number, [])
        runs.append((len(joined), len(joined) + len(members)))
        joined += members
    return runs, joined


@functools.cache
def _load() -> ctypes.CDLL:
    native = ctypes.CDLL(str(library()))
    pointer = ctypes.c_void_p
    native.wingrid_lower.restype = pointer
    native.wingrid_lower.argtypes = [ctypes.POINTER(Description), ctypes.c_char_p, ctypes.c_uint64]
    native.wingrid_words.restype, native.wingrid_words.argtypes = ctypes.c_uint64, [pointer, pointer]
    native.wingrid_release.restype, native.wingrid_release.argtypes = None, [pointer]
    return native


def library() -> Path:
    """The compiled lowering, from the cache or built now. Raises ``BuildError`` or ``ToolMissing``."""
    texts = {"definitions.hpp": definitions(), "description.hpp": _description()}
    sources = [path.read_bytes() for path in sorted(SOURCES.glob("*.?pp"))]
    key = cache.key("lowering", *texts.values(), *FLAGS, tools.compiler_identity(), *sources)

    def build(folder: Path) -> Path:
        for name, text in texts.items():
            (folder / name).write_text(text)
        command = [*tools.compiler(), *FLAGS, "-I.", f"-I{SOURCES}", f"-I{SHARED}", "-shared"]
        command += ["-o", "result.so", str(SOURCES / "lowering.cpp")]
        tools.Tools().call(command, "the compiler on lowering.cpp", folder)
        return folder / "result.so"

    return cache.cached(f"lowering/{key}.so", build)


def _description() -> str:
    """C++ for the structure ``Description``, and the constants of the compiler."""
    constants = {
        "PC_BITS": PC_BITS,
        "MOST_PENDING": MOST_PENDING,
        "LARGEST_STRIDE": LARGEST_STRIDE,
        "PARAMETER_BYTES": PARAMETER_BYTES,
        "TABLE_ENTRIES": TABLE_ENTRIES,
        "KERNEL_TAPS": KERNEL**2,
    }
    fields = [f"int64_t {name};" for name in (*NUMBERS, *COUNTS)]
    fields += [f"const {kind}* {name};" for name, kind in LISTS.items()]
    return "\n".join(
        [
            "// Generated from the Python sources.",
            "#pragma once",
            '#include "layer.hpp"',
            "namespace wingrid {",
            *(f"constexpr int64_t {name} = {value};" for name, value in constants.items()),
            f"struct Description {{ {' '.join(fields)} }};",
            "}  // namespace wingrid",
            "",
        ]
    )
