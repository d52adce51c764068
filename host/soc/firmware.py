"""The firmware: sources, the headers that tell it of this SoC and this network, and the compiler that makes it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from wingrid.host.drivers.sources import driver_files
from wingrid.sim.tools import ToolMissing, Tools

COMPILER = "riscv64-unknown-elf-gcc"
PACKAGE = "gcc-riscv64-unknown-elf"
"""Debian's, with the compiler's library for this processor, which has no floating point."""

MACHINE = ("-march=rv32im", "-mabi=ilp32", "-misa-spec=2.2")
"""VexRiscv's standard variant; by this version of the specification, control registers belong to it."""
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror")
FLAGS = (*MACHINE, *WARNINGS, "-O2", "-ffreestanding", "-fno-builtin", "-nostdlib")

OWN = ("start.S", "main.c", "uart.c", "processor.c")
"""Sources of the firmware itself."""
DRIVER = ("wingrid.c", "wingrid_bare.c", "wingrid_quantise.c")
"""Sources of the driver that it takes."""


def firmware_files(addresses: Mapping[str, int], job: str) -> dict[str, bytes]:
    """All sources by file name, for a SoC of these addresses (``soc.h``) and a job (``job.h``)."""
    folder = resources.files("wingrid.host.soc") / "c"
    own = {item.name: item.read_bytes() for item in folder.iterdir() if item.name.endswith((".c", ".h", ".S", ".ld"))}
    lines = ["/* Addresses of the SoC. Generated from what LiteX told. */"]
    lines += [f"#define SOC_{name} 0x{value:X}" for name, value in addresses.items()]
    generated = {"soc.h": "\n".join([*lines, ""]).encode(), "job.h": job.encode()}
    driver = {name: content for name, content in driver_files().items() if name.endswith((".c", ".h"))}
    return {**driver, **own, **generated}


def require_compiler() -> str:
    """The path of the firmware's compiler. Raises ``ToolMissing``."""
    gcc = shutil.which(COMPILER)
    if gcc is None:
        raise ToolMissing(f"{COMPILER} is missing; Debian has it in the package {PACKAGE}")
    return gcc


def compiled(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """``firmware.elf``, and ``firmware.bin`` as it lies in the ROM. Raises ``ToolMissing`` or ``BuildError``."""
    gcc = require_compiler()
    with tempfile.TemporaryDirectory(prefix="wingrid-") as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        tools = Tools()
        # The linker's script takes its addresses from the same header.
        tools.call(
            [gcc, "-E", "-P", "-x", "c", "-include", "soc.h", "link.ld", "-o", "linked.ld"],
            "the C preprocessor",
            folder,
        )
        link = ["-Wl,-T,linked.ld", "-Wl,--fatal-warnings", "-lgcc"]
        tools.call(
            [gcc, *FLAGS, *OWN, *DRIVER, *link[:-1], "-o", "firmware.elf", link[-1]], "the firmware's compiler", folder
        )
        objcopy = gcc.removesuffix("gcc") + "objcopy"
        tools.call([objcopy, "-O", "binary", "-j", ".text", "firmware.elf", "firmware.bin"], "objcopy", folder)
        return {made: (folder / made).read_bytes() for made in ("firmware.elf", "firmware.bin")}
