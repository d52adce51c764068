"""An image with its manifest and the host's segments, in memory and as the files of a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from wingrid.host.errors import UserError
from wingrid.host.images.binary import Contents, DamagedImage, EntryRecord, TensorRecord, contents, require_sound
from wingrid.hw.config import INSTRUCTION_BYTES, AcceleratorConfig
from wingrid.sim.memory import Bridge, Dram, MemoryTiming

BINARY, MANIFEST = "image.bin", "image.json"


@dataclass(frozen=True)
class Image:
    """A whole network for one accelerator. ``docs/image.md`` describes its files."""

    binary: bytes = field(repr=False)
    manifest: Mapping[str, Any] = field(repr=False)
    segments: Mapping[str, bytes] = field(repr=False)
    """ONNX models of the host's work, by the name of their file."""

    @cached_property
    def contents(self) -> Contents:
        """What the binary file's tables say."""
        return contents(self.binary)

    @cached_property
    def config(self) -> AcceleratorConfig:
        """The accelerator that it is made for."""
        return AcceleratorConfig(**self.manifest["config"])

    @cached_property
    def timing(self) -> MemoryTiming:
        """The memory that the manifest's cycles are for."""
        memory = self.manifest["memory"]
        dram = Dram(**memory["dram"]) if memory["dram"] else None
        bridge = Bridge(**memory["bridge"]) if memory["bridge"] else None
        return MemoryTiming(**{**memory, "dram": dram, "bridge": bridge})

    def entry(self, name: str) -> EntryRecord:
        """The entry point of that name."""
        return next(entry for entry in self.contents.entries if entry.name == name)

    def tensor(self, name: str) -> TensorRecord:
        """The tensor of that name."""
        return next(tensor for tensor in self.contents.tensors if tensor.name == name)

    def program(self, entry: EntryRecord) -> bytes:
        """The instructions of an entry."""
        return self.binary[entry.program : entry.program + entry.instructions * INSTRUCTION_BYTES]

    def files(self) -> dict[str, bytes]:
        """Content by file name."""
        text = json.dumps(self.manifest, indent=1).encode() + b"\n"
        return {BINARY: self.binary, MANIFEST: text, **self.segments}

    @classmethod
    def load(cls, folder: Path) -> Image:
        """The image in a folder. Raises ``UserError`` for what is none, or is damaged."""
        binary = _read(folder / BINARY)
        require_sound(binary, str(folder / BINARY))
        try:
            manifest = json.loads(_read(folder / MANIFEST))
            wanted = manifest["files"]
            segments = {name: _read(folder / name) for name in wanted if name != BINARY}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise DamagedImage(f"{folder / MANIFEST} is no manifest of an image") from None
        for name, content in {BINARY: binary, **segments}.items():
            if wanted.get(name) != digest(content):
                raise DamagedImage(f"{folder / name} is not the file that {folder / MANIFEST} goes with")
        return cls(binary, manifest, segments)


def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
