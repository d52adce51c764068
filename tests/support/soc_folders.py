"""Folders for a SoC, and what the firmware would print if all went well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wingrid.host.images.image import Image
from wingrid.host.images.machines import SpecifiedMachine
from wingrid.host.images.running import read_tensor, run_image
from wingrid.host.soc.build_inputs import BuildInputs, write_build_inputs
from wingrid.host.soc.job import Job
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.registers import Counter
from wingrid.sim.timing.model import TimingResult

TINY = AcceleratorConfig.load(Path(__file__).parents[2] / "configs" / "tiny-4x4.toml")


def digits_folder(directory: Path, samples: int = 1) -> BuildInputs:
    """Digits for the smallest accelerator that is shipped."""
    write_build_inputs(directory, "digits", TINY, samples=samples)
    return BuildInputs.load(directory)


def good_transcript(inputs: BuildInputs, job: Job, played: dict[str, TimingResult]) -> Iterator[str]:
    """What the firmware prints where the accelerator does as specified, and counts what was played."""
    image: Image = inputs.image
    index = {tensor.name: place for place, tensor in enumerate(image.contents.tensors)}
    for sample in range(inputs.samples):
        machine = SpecifiedMachine(image)
        run_image(image, machine, {name: values[sample] for name, values in inputs.inputs.items()})
        yield f"sample {sample}"
        for number, entry in enumerate(image.contents.entries):
            for counter in Counter:
                yield f"counter {number} {counter.value} {played[entry.name].counters[counter]}"
        for name in job.left:
            values = read_tensor(machine.memory, image.tensor(name))
            yield f"output {index[name]} {values.tobytes().hex()}"
            yield f"class {values.argmax()}"
