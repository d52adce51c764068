"""Compiles the timing model, once for all configurations."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path

from wingrid.hw.config import AXI_PAGE_BYTES, INSTRUCTION_BYTES
from wingrid.hw.events import Event
from wingrid.hw.isa import INSTRUCTIONS, Buffer, Instruction, Opcode, Semaphore
from wingrid.hw.registers import Counter
from wingrid.hw.winograd_matrices import KERNEL
from wingrid.sim import cache, tools
from wingrid.sim.timing.parameters import TILE_ENTRIES, structure

SOURCES = Path(__file__).resolve().parent
SHARED = SOURCES.parent
"""Headers shared with the harness of the RTL."""
FLAGS = (*tools.COMPILER_FLAGS, "-O3", "-Wall", "-Wextra")


def library(progress: Callable[[str], None] | None = None) -> Path:
    """The model's library, from the cache or built now. Raises ``BuildError`` or ``ToolMissing``."""
    text = definitions()
    sources = [path.read_bytes() for path in sorted([*SOURCES.glob("*.?pp"), *SHARED.glob("*.?pp")])]
    key = cache.key("timing", text, *FLAGS, tools.compiler_identity(), *sources)

    def build(folder: Path) -> Path:
        if progress is not None:
            progress("compiling the timing model")
        (folder / "definitions.hpp").write_text(text)
        result = folder / "result.so"
        command = [*tools.compiler(), *FLAGS, "-I.", f"-I{SOURCES}", f"-I{SHARED}", "-shared"]
        command += ["-o", result.name, str(SOURCES / "model.cpp")]
        tools.Tools().call(command, "the compiler on model.cpp", folder)
        return result

    return cache.cached(f"timing/{key}.so", build)


def definitions() -> str:
    """C++ for what the Python sources define: instructions, semaphores, events, counters, parameters."""
    parts = [
        "// Generated from the Python sources.",
        "#pragma once",
        "#include <cstdint>",
        '#include "dram.hpp"',
        "namespace wingrid {",
    ]
    sizes = {"INSTRUCTION_BYTES": INSTRUCTION_BYTES, "AXI_PAGE_BYTES": AXI_PAGE_BYTES, "RAW_TAPS": KERNEL**2}
    sizes |= {"SEMAPHORES": len(Semaphore), "BUFFERS": len(Buffer), "TILE_ENTRIES": TILE_ENTRIES}
    parts += [f"constexpr uint32_t {name} = {value};" for name, value in sizes.items()]
    parts += [_enumeration(kind) for kind in (Opcode, Buffer, Semaphore, Event, Counter)]
    parts += [_instruction(kind) for kind in INSTRUCTIONS]
    fields = ["DramTiming dram;"]
    fields += [f"uint32_t {name}{'[TILE_ENTRIES]' if listed else ''};" for name, listed in structure()]
    parts += [f"struct Parameters {{ {' '.join(fields)} }};", "}  // namespace wingrid"]
    return "\n".join(parts) + "\n"


def _enumeration(kind: type[enum.IntEnum]) -> str:
    members = ", ".join(f"{member.name} = {member.value}" for member in kind)
    return f"enum class {kind.__name__} : int {{ {members} }};"


def _instruction(kind: type[Instruction]) -> str:
    """The packed structure of an instruction; its fields are whole bytes."""
    fields = [f"{'' if bits.signed else 'u'}int{bits.width}_t {name};" for name, bits in kind.formats().items()]
    return f"struct __attribute__((packed)) {kind.__name__} {{ {' '.join(fields)} }};"
