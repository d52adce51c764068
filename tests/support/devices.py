"""Devices to write to: copies that only a test would miss, as root could lose the system's own to a fault."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

MINORS = {"null": 3, "full": 7}


def device(name: str, folder: Path) -> Path:
    """A device like /dev/null or /dev/full: in the folder for root, the system's own for others, who cannot harm it."""
    if os.geteuid():
        return Path("/dev") / name
    path = folder / name
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, MINORS[name]))
        with open(path, "ab"):
            pass
    except OSError as error:
        pytest.skip(f"no device can be made here: {error}")
    return path
