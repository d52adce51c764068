"""Digits on LiteX's SoC: a processor, its compiler and somebody else's bus judge hardware, driver and timing model.

The firmware reaches the accelerator by the C driver alone. Outputs are ONNX Runtime's in every bit; of the counters,
only what waits at the start may differ from the timing model's, while the processor fetches what it needs to wait.
"""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from pathlib import Path

import pytest
from outside_judges import outside_judge
from soc_folders import TINY, digits_folder

from wingrid.host.execution.driver import MachineFault
from wingrid.host.images.binary import checksum
from wingrid.host.images.building import build_image
from wingrid.host.images.format import CHECKSUM_OFFSET
from wingrid.host.images.image import BINARY, Image, digest
from wingrid.host.images.named_work import named_work
from wingrid.host.onnx_models.bundled import labelled_digits
from wingrid.host.soc.checks import SocDiffers
from wingrid.host.soc.firmware import COMPILER, PACKAGE
from wingrid.host.soc.layout import BUSES, IMAGE
from wingrid.host.soc.result import SocResult
from wingrid.host.soc.run_soc import run_soc
from wingrid.hw.registers import Counter

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

AT_THE_START = {Counter.CYCLES, Counter.STALL_INSTRUCTIONS, Counter.STALL_INPUTS}
"""Counters that tell when the processor keeps the bus from the first instructions and inputs."""

MOST = {"litex-axi": 20, "litex-wishbone": 500}
"""Cycles that it may keep it."""


@functools.cache
def folder() -> Path:
    """Two digits."""
    outside_judge(PACKAGE, COMPILER)
    directory = Path(tempfile.mkdtemp(prefix="wingrid-"))
    digits_folder(directory, samples=2)
    return directory


@functools.cache
def ran(memory: str) -> SocResult:
    return run_soc(folder(), memory)


def put_image(directory: Path, image: Image) -> None:
    for name, content in image.files().items():
        (directory / IMAGE / name).write_bytes(content)


@pytest.mark.parametrize("memory", BUSES)
def test_the_processor_finds_the_digits_with_onnxruntimes_bits(memory: str) -> None:
    result = ran(memory)
    result.require_checks()
    assert [sample.ran.found for sample in result.samples] == labelled_digits(2, "golden").labels.tolist()


@pytest.mark.parametrize("memory", BUSES)
def test_the_accelerator_waits_as_the_timing_model_says(memory: str) -> None:
    result = ran(memory)
    model = result.model[memory]
    for sample in result.samples:
        for counter in Counter:
            late = sample.ran.total(counter) - model[counter]
            assert 0 <= late <= (MOST[memory] if counter in AT_THE_START else 0), counter.name


def test_another_seed_makes_no_difference() -> None:
    """What memories and registers hold before anything is written into them."""
    other = run_soc(folder(), "litex-axi", seed=2)
    assert other.samples[0].ran == ran("litex-axi").samples[0].ran


def test_a_changed_weight_is_noticed(tmp_path: Path) -> None:
    inputs = digits_folder(tmp_path)
    image = inputs.image
    binary = bytearray(image.binary)
    place = image.manifest["layers"][-1]["weights"]
    binary[place] ^= 0x40
    binary[CHECKSUM_OFFSET : CHECKSUM_OFFSET + 4] = checksum(binary).to_bytes(4, "little")
    files = {**image.manifest["files"], BINARY: digest(bytes(binary))}
    put_image(tmp_path, dataclasses.replace(image, binary=bytes(binary), manifest={**image.manifest, "files": files}))
    with pytest.raises(
        SocDiffers, match=r"^sample 0: output y: 1 of 10 elements differ from what it must be, the first"
    ):
        run_soc(tmp_path, "litex-axi").require_checks()


def test_the_driver_refuses_an_image_for_another_accelerator(tmp_path: Path) -> None:
    digits_folder(tmp_path)
    other = dataclasses.replace(TINY, parameter_blocks=32)
    put_image(tmp_path, build_image(named_work("digits", other)[0], other))
    with pytest.raises(MachineFault, match="the accelerator has another configuration than the image was made for"):
        run_soc(tmp_path, "litex-axi")
