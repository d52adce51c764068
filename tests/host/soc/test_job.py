"""The firmware's tables say what the manifest says, and its memory holds image and samples."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from image_cases import built_in_case, digits_case
from layer_cases import SQUARE
from soc_folders import good_transcript

from wingrid.host.errors import UserError
from wingrid.host.images.image import Image
from wingrid.host.images.machines import SpecifiedMachine, play_entry
from wingrid.host.images.running import ImageRun, run_image
from wingrid.host.soc.build_inputs import BuildInputs
from wingrid.host.soc.job import job_for
from wingrid.host.soc.transcript import read_transcript
from wingrid.hw.config import AcceleratorConfig

OBLONG = dataclasses.replace(SQUARE, rows=4, cols=2, decoders=1)
"""What it leaves is not what it takes: the processor moves each layer's results."""


def numbers(header: str, table: str) -> list[list[int]]:
    """The rows of a table of numbers."""
    text = re.search(rf" {table}\[\] = {{\n(.*?)}};", header, flags=re.S)
    assert text is not None
    return [[int(number, 0) for number in row.split(", ")] for row in re.findall(r"{(.*)}", text[1])]


def test_digits_are_quantised_by_the_firmware() -> None:
    case = digits_case()
    image = case.image()
    pixels = np.random.default_rng(1).random((3, *case.inputs["x"].shape), np.float32)
    job = job_for(image, {"x": pixels})
    ((tensor, place, samples, sample_bytes, elements, real),) = numbers(job.header, "job_samples")
    assert image.contents.tensors[tensor].name == image.manifest["steps"][1]["inputs"][0]
    assert (sample_bytes, elements, real) == (4096, 1024, 1)
    assert job.memory[: len(image.binary)].tobytes() == image.binary
    assert image.contents.memory_bytes <= place <= samples - elements
    assert job.memory[samples:][: pixels.nbytes].tobytes() == pixels.tobytes()
    assert numbers(job.header, "entry_0_inputs") == [[tensor, place]]
    ((left, left_place, count, scores, signed),) = numbers(job.header, "job_left")
    assert numbers(job.header, "entry_0_outputs") == [[left, left_place]]
    assert (image.contents.tensors[left].name, count, scores, signed) == (job.left[0], 10, 1, 1)
    assert "#define JOB_SAMPLES 3u\n" in job.header


def test_the_hosts_last_steps_follow_what_was_printed() -> None:
    case = digits_case()
    image = case.image()
    job = job_for(image, {"x": case.inputs["x"][None]})
    inputs = BuildInputs(image, {}, {"x": case.inputs["x"][None]}, {})
    played = {entry.name: play_entry(image, entry) for entry in image.contents.entries}
    (sample,) = read_transcript(image, good_transcript(inputs, job, played))
    run = ImageRun(job.outputs(0, sample.outputs))
    assert case.wrong(run) is None
    assert sample.found == next(iter(run.outputs.values())).argmax()
    assert sample.cycles == sum(entry.cycles for entry in image.contents.entries)


@pytest.mark.parametrize("config", [SQUARE, OBLONG], ids=["4x4", "4x2"])
def test_every_value_that_an_entry_takes_was_left_or_given(config: AcceleratorConfig) -> None:
    case = built_in_case("vgg16")
    image = case.image(config)
    job = job_for(image, {name: value[None] for name, value in case.inputs.items()})
    entries = len(image.contents.entries)
    assert (entries > 1) == (config is OBLONG)
    ((_, place, samples, sample_bytes, elements, real),) = numbers(job.header, "job_samples")
    assert (sample_bytes, real) == (elements, 0)
    assert job.memory[samples:][:sample_bytes].tobytes() == next(iter(case.inputs.values())).tobytes()
    there = {place}
    for number in range(entries):
        for _, taken in numbers(job.header, f"entry_{number}_inputs"):
            assert taken in there
        there |= {left for _, left in numbers(job.header, f"entry_{number}_outputs")}
    assert {row[1] for row in numbers(job.header, "job_left")} <= there
    golden = run_image(image, SpecifiedMachine(image), case.inputs).outputs
    (name,) = job.left
    values = next(iter(golden.values()))
    assert np.array_equal(next(iter(job.outputs(0, {name: values.tobytes()}).values())), values)


def test_work_of_the_host_between_layers_is_refused() -> None:
    case = built_in_case("alexnet")
    message = "alexnet leaves the array for ResponseNormalisation: the firmware runs networks whose layers follow"
    with pytest.raises(UserError, match=message):
        job_for(case.image(), {name: value[None] for name, value in case.inputs.items()})


def test_images_in_files_make_the_same_job(tmp_path: Path) -> None:
    case = digits_case()
    image = case.image()
    for name, content in image.files().items():
        (tmp_path / name).write_bytes(content)
    given = {"x": case.inputs["x"][None]}
    assert job_for(Image.load(tmp_path), given).header == job_for(image, given).header
