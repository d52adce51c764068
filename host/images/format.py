"""The format of an image's binary file. It is stated here and nowhere else; ``docs/image.md`` explains it.

The file lies in the accelerator's memory as it is, from the image's base on: the header, the tables that it points
to, programs, weights and parameters. All offsets are from the base, in bytes; all numbers are little-endian. Memory
goes on beyond the file for activations, up to ``memory_bytes``.
"""

from __future__ import annotations

import enum

from wingrid.host.images.structures import Member, Structure
from wingrid.host.images.tensor_layout import TensorLayout

MAGIC = 0x4D49_4757
"""The letters WGIM, as they lie in the file."""

FORMAT = 1, 0
"""Major and minor version. What is added counts in the minor one, what is changed or taken away in the major one."""

CHECKSUM_OFFSET = 8
"""Where the checksum stands, which is computed with zero in its place: CRC-32 (ISO 3309) of the whole file."""


class ElementType(enum.IntEnum):
    """What the host takes a tensor's elements for. In memory they are int8: of uint8, 128 less."""

    INT8 = 0
    UINT8 = 1


def _table(name: str, meaning: str) -> tuple[Member, Member]:
    return Member(f"{name}_offset", f"where {meaning} are"), Member(f"{name}_count", "and how many")


HEADER = Structure(
    "wingrid_image_header",
    "The start of an image.",
    (
        Member("magic", "the letters WGIM"),
        Member("format", "of the file: major version in the upper half, minor one in the lower"),
        Member("checksum", "CRC-32 of the file, with zero in place of this number"),
        Member("file_bytes", "size of the file"),
        Member("memory_bytes", "memory that the image takes from its base on, file included"),
        Member("base_alignment", "the base must be a multiple of it"),
        *_table("readings", "the wingrid_image_readings"),
        *_table("entries", "the wingrid_image_entries"),
        *_table("tensors", "the wingrid_image_tensors"),
    ),
)

READING = Structure(
    "wingrid_image_reading",
    "What a register of the accelerator must read as.",
    (
        Member("address", "of the register"),
        Member("value", "that the image was made for"),
        Member("rule", "how the two must agree, a WINGRID_RULE (hw/registers.py, Agreement)"),
    ),
)

ENTRY = Structure(
    "wingrid_image_entry",
    "Layers that run in one start, with one interrupt at the end.",
    (
        Member("name", "offset of its name, which ends with a zero byte"),
        Member("program", "offset of the first instruction, for PROGRAM"),
        Member("instructions", "for PROGRAM_LENGTH"),
        Member("cycles_low", "that it takes by the timing model, low word"),
        Member("cycles_high", "high word"),
        *_table("inputs", "the indices, uint32_t, of the tensors that the host writes before it"),
        *_table("outputs", "the indices, uint32_t, of the tensors that the host reads after it"),
    ),
)

TENSOR = Structure(
    "wingrid_image_tensor",
    "A tensor in memory. Its element behind each byte is found by the formula in docs/image.md.",
    (
        Member("name", "offset of its name, which ends with a zero byte"),
        Member("type", "of the host's elements, a WINGRID_TYPE"),
        Member("scale", "the real number that a step stands for; 0 where nobody said", "float"),
        Member("zero_point", "the host's element that stands for zero", "int32_t"),
        Member("offset", "of its first byte"),
        Member("bytes", "in memory"),
        Member("channel_map", "offset of layer_channels uint32_t, the host's channel of each; 0 for the same"),
        *(Member(name, meaning, "int32_t") for name, meaning in TensorLayout.numbers()),
    ),
)

STRUCTURES = (HEADER, READING, ENTRY, TENSOR)
