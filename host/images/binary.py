"""The binary file of an image: put together, taken apart again, and checked."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wingrid.host.compiler.memory_map import page_after
from wingrid.host.errors import UserError
from wingrid.host.images.format import (
    CHECKSUM_OFFSET,
    ENTRY,
    FORMAT,
    HEADER,
    MAGIC,
    READING,
    TENSOR,
    ElementType,
)
from wingrid.host.images.structures import Structure
from wingrid.host.images.tensor_layout import TensorLayout
from wingrid.hw.config import AXI_PAGE_BYTES, INSTRUCTION_BYTES, OFFSET_BITS, AcceleratorConfig
from wingrid.hw.registers import AGREEMENTS, Agreement, readings


class DamagedImage(UserError):
    """A file that is no image, or not the one that was written."""


@dataclass(frozen=True)
class TensorRecord:
    """A tensor as the binary file has it."""

    name: str
    type: ElementType
    scale: float
    zero_point: int
    """In the host's type."""
    offset: int
    layout: TensorLayout


@dataclass(frozen=True)
class EntryRecord:
    """An entry point as the binary file has it."""

    name: str
    program: int
    instructions: int
    cycles: int
    inputs: tuple[int, ...]
    """Places of the tensors among all."""
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Contents:
    """What the header and its tables say."""

    file_bytes: int
    memory_bytes: int
    readings: dict[int, tuple[int, Agreement]]
    """By the register's address."""
    entries: tuple[EntryRecord, ...]
    tensors: tuple[TensorRecord, ...]


class Tables:
    """The file's beginning: header, tables, and what these point to. Its size is known before its contents are."""

    def __init__(
        self, config: AcceleratorConfig, entries: Sequence[EntryRecord], tensors: Sequence[TensorRecord]
    ) -> None:
        self._content = bytearray(HEADER.dtype.itemsize)
        wanted = [(int(register), value, AGREEMENTS[register]) for register, value in readings(config).items()]
        self._places = {
            "readings": self._add(READING, [dict(zip(READING.dtype.names or (), row, strict=True)) for row in wanted])
        }
        self._places["tensors"] = self._add(TENSOR, [self._tensor(tensor) for tensor in tensors])
        self._places["entries"] = self._add(ENTRY, [self._entry(entry) for entry in entries])
        self._content += bytes(-len(self._content) % INSTRUCTION_BYTES)

    @property
    def size(self) -> int:
        """Bytes, a multiple of an instruction's."""
        return len(self._content)

    def file(self, rest: bytes, memory_bytes: int) -> bytes:
        """The whole file, ``rest`` behind the tables."""
        whole = self._content + rest
        header = np.zeros(1, HEADER.dtype)
        numbers = {
            "magic": MAGIC,
            "format": FORMAT[0] << 16 | FORMAT[1],
            "file_bytes": len(whole),
            "memory_bytes": memory_bytes,
            "base_alignment": AXI_PAGE_BYTES,
        }
        for name, (offset, count) in self._places.items():
            numbers |= {f"{name}_offset": offset, f"{name}_count": count}
        for name, number in numbers.items():
            header[name] = number
        whole[: HEADER.dtype.itemsize] = header.tobytes()
        whole[CHECKSUM_OFFSET : CHECKSUM_OFFSET + 4] = checksum(whole).to_bytes(4, "little")
        return bytes(whole)

    def _tensor(self, tensor: TensorRecord) -> dict[str, float]:
        numbers = {name: getattr(tensor.layout, name) for name, _ in TensorLayout.numbers()}
        return numbers | {
            "name": self._text(tensor.name),
            "type": tensor.type,
            "scale": tensor.scale,
            "zero_point": tensor.zero_point,
            "offset": tensor.offset,
            "bytes": tensor.layout.bytes,
            "channel_map": self._words(tensor.layout.channel_map)[0] if tensor.layout.channel_map else 0,
        }

    def _entry(self, entry: EntryRecord) -> dict[str, float]:
        lists = {"inputs": self._words(entry.inputs), "outputs": self._words(entry.outputs)}
        numbers = {
            "name": self._text(entry.name),
            "program": entry.program,
            "instructions": entry.instructions,
            "cycles_low": entry.cycles & 0xFFFF_FFFF,
            "cycles_high": entry.cycles >> 32,
        }
        for name, (offset, count) in lists.items():
            numbers |= {f"{name}_offset": offset, f"{name}_count": count}
        return dict(numbers)

    def _add(self, structure: Structure, rows: list[dict[str, float]]) -> tuple[int, int]:
        self._content += bytes(-len(self._content) % 4)
        records = np.zeros(len(rows), structure.dtype)
        for record, row in zip(records, rows, strict=True):
            for name, number in row.items():
                record[name] = number
        start = len(self._content)
        self._content += records.tobytes()
        return start, len(rows)

    def _words(self, numbers: Sequence[int]) -> tuple[int, int]:
        self._content += bytes(-len(self._content) % 4)
        start = len(self._content)
        self._content += np.array(numbers, "<u4").tobytes()
        return start, len(numbers)

    def _text(self, text: str) -> int:
        start = len(self._content)
        self._content += text.encode() + b"\0"
        return start


def checksum(file: bytes | bytearray) -> int:
    """CRC-32 of the file with zero in place of the checksum."""
    first = zlib.crc32(bytes(4), zlib.crc32(memoryview(file)[:CHECKSUM_OFFSET]))
    return zlib.crc32(memoryview(file)[CHECKSUM_OFFSET + 4 :], first)


def require_sound(file: bytes, what: str) -> None:
    """Raise ``DamagedImage`` for a file that is not as it was written, or of a format that is not known here."""
    header = _header(file, what)
    if int(header["magic"]) != MAGIC:
        raise DamagedImage(f"{what} is no image for the accelerator")
    major, minor = divmod(int(header["format"]), 1 << 16)
    if major != FORMAT[0]:
        raise DamagedImage(f"{what} has format {major}.{minor}, and {FORMAT[0]}.{FORMAT[1]} is known here")
    if int(header["file_bytes"]) != len(file):
        raise DamagedImage(f"{what} has {len(file)} bytes and should have {int(header['file_bytes'])}")
    if int(header["checksum"]) != checksum(file):
        raise DamagedImage(f"{what} is damaged: its checksum is not that of its content")


def contents(file: bytes) -> Contents:
    """What the header and the tables of a sound file say."""
    header = _header(file, "the image")

    def table(structure: Structure, name: str) -> npt.NDArray:
        return np.frombuffer(file, structure.dtype, int(header[f"{name}_count"]), int(header[f"{name}_offset"]))

    def words(row: np.void, name: str) -> tuple[int, ...]:
        found = np.frombuffer(file, "<u4", int(row[f"{name}_count"]), int(row[f"{name}_offset"]))
        return tuple(int(word) for word in found)

    def text(row: np.void) -> str:
        start = int(row["name"])
        return file[start : file.index(b"\0", start)].decode()

    tensors = []
    for row in table(TENSOR, "tensors"):
        numbers = {name: int(row[name]) for name, _ in TensorLayout.numbers()}
        start, count = int(row["channel_map"]), numbers["layer_channels"]
        channels = tuple(int(channel) for channel in np.frombuffer(file, "<u4", count, start)) if start else ()
        layout = TensorLayout(**numbers, channel_map=channels)
        kind, scale = ElementType(int(row["type"])), float(row["scale"])
        tensors.append(TensorRecord(text(row), kind, scale, int(row["zero_point"]), int(row["offset"]), layout))
    entries = [
        EntryRecord(
            text(row),
            int(row["program"]),
            int(row["instructions"]),
            int(row["cycles_low"]) | int(row["cycles_high"]) << 32,
            words(row, "inputs"),
            words(row, "outputs"),
        )
        for row in table(ENTRY, "entries")
    ]
    wanted = {
        int(row["address"]): (int(row["value"]), Agreement(int(row["rule"]))) for row in table(READING, "readings")
    }
    return Contents(int(header["file_bytes"]), int(header["memory_bytes"]), wanted, tuple(entries), tuple(tensors))


def _header(file: bytes, what: str) -> np.void:
    if len(file) < HEADER.dtype.itemsize:
        raise DamagedImage(f"{what} is no image for the accelerator: it is too short")
    header: np.void = np.frombuffer(file, HEADER.dtype, 1)[0]
    return header


def require_addresses(memory_bytes: int, name: str) -> None:
    """Raise ``UserError`` for more memory than offsets reach."""
    if memory_bytes >= 1 << OFFSET_BITS:
        raise UserError(f"the image of {name} takes {memory_bytes} bytes, more than {OFFSET_BITS} bits reach")


def room_for(offset: int, size: int, alignment: int) -> int:
    """Where a run of that size begins at ``offset`` or behind.

    What is smaller than a page does not cross its end, so that the memory never cuts its bursts, and what is larger
    begins a page.
    """
    start = -(-offset // alignment) * alignment
    return start if start % AXI_PAGE_BYTES + size <= AXI_PAGE_BYTES else page_after(start)
