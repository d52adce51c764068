"""The files of a build, by their paths within its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.builds.reference import Reference
from wingrid.host.drivers.sources import driver_files
from wingrid.host.images.building import build_image
from wingrid.host.images.image import Image
from wingrid.host.images.samples import as_npz, read_npz
from wingrid.host.package.package import package_files
from wingrid.host.soc.layout import HARDWARE, IMAGE, INPUTS, OUTPUTS
from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming

DRIVERS, TEST_BENCH = "drivers", "test_bench"
"""Folders of a build, besides those that a SoC is made of."""
VERILOG = f"{HARDWARE}/{verilog.TOP}.v"
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
    """An input of the network, and the outputs that are right for it: one sample of each."""
    return {INPUTS: as_npz(_stacked(reference.inputs)), OUTPUTS: as_npz(_stacked(reference.outputs))}


def expected_inputs(folder: Path) -> dict[str, npt.NDArray]:
    """The input of a build. Raises ``UserError``."""
    return {name: samples[0] for name, samples in read_npz(folder / INPUTS).items()}


def expected_outputs(folder: Path) -> dict[str, npt.NDArray]:
    """The outputs that are right for it. Raises ``UserError``."""
    return {name: samples[0] for name, samples in read_npz(folder / OUTPUTS).items()}


def under(folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files in a folder."""
    return {f"{folder}/{name}": content for name, content in files.items()}


def _stacked(arrays: Mapping[str, npt.NDArray]) -> dict[str, npt.NDArray]:
    return {name: np.asarray(value)[None] for name, value in arrays.items()}
