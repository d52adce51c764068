"""The C driver as files: its sources, and the headers that are generated."""

from __future__ import annotations

from importlib import resources

from wingrid.host.drivers.headers import image_header, register_header

CORE = ("wingrid.c", "wingrid_bare.c", "wingrid_simulated.c")
"""Sources that need no C library."""

FLOATING = ("wingrid_quantise.c",)
"""Sources that need floating point, but no C library."""

LINUX = ("wingrid_uio.c",)
"""Sources for Linux."""


def driver_files() -> dict[str, bytes]:
    """Content by file name."""
    folder = resources.files("wingrid.host.drivers") / "c"
    names = [*CORE, *FLOATING, *LINUX]
    names += [name.replace(".c", ".h") for name in names]
    generated = {"wingrid_registers.h": register_header(), "wingrid_image.h": image_header()}
    return {name: (folder / name).read_bytes() for name in sorted(names)} | {
        name: text.encode() for name, text in generated.items()
    }
