"""The files of a build, by their paths within its folder."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.builds.reference import Reference
from wingrid.host.drivers.sources import driver_files
from wingrid.host.errors import UserError
from wingrid.host.images.building import build_image
from wingrid.host.images.image import Image
from wingrid.host.package.package import package_files
from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming

HARDWARE, IMAGE, DRIVERS, EXPECTED, TEST_BENCH = "hardware", "image", "drivers", "expected", "test_bench"
"""Folders of a build."""
VERILOG = f"{HARDWARE}/{verilog.TOP}.v"
INPUTS, OUTPUTS = f"{EXPECTED}/inputs.npz", f"{EXPECTED}/outputs.npz"
MODEL, TARGET = "network.onnx", "target.toml"
"""A user's own model and target."""
RECEIPT, PAGE = "receipt.json", "report.html"


def hardware_files(config: AcceleratorConfig) -> dict[str, bytes]:
    """The Verilog, and what tools of vendors and others read of it."""
    return under(HARDWARE, package_files(config))


def image_files(
    reference: Reference, config: AcceleratorConfig, timing: MemoryTiming
) -> tuple[Image, dict[str, bytes]]:
    """The network's image, in memory and as files."""
    image = build_image(reference.work, config, timing)
    return image, under(IMAGE, image.files())


def driver_contents() -> dict[str, bytes]:
    """The C driver."""
    return under(DRIVERS, driver_files())


def expected_files(reference: Reference) -> dict[str, bytes]:
    """An input of the network, and the outputs that are right for it."""
    return {INPUTS: as_npz(reference.inputs), OUTPUTS: as_npz(reference.outputs)}


def under(folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files in a folder."""
    return {f"{folder}/{name}": content for name, content in files.items()}


def as_npz(arrays: Mapping[str, npt.NDArray]) -> bytes:
    """Arrays as the content of an .npz file, by their place, and their names as one more."""
    content = io.BytesIO()
    named = {f"array_{place}": value for place, value in enumerate(arrays.values())}
    np.savez(content, names=np.array(list(arrays)), **named)  # type: ignore[arg-type]
    return content.getvalue()


def read_npz(path: Path) -> dict[str, npt.NDArray]:
    """The arrays of ``as_npz`` by name. Raises ``UserError``."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {str(name): arrays[f"array_{place}"] for place, name in enumerate(arrays["names"])}
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} does not hold the arrays of a build: {error}") from None
