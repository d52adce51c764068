"""A SoC built and run: firmware, processor and accelerator on the samples, beside specification and timing model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from wingrid.host.execution.driver import MachineFault
from wingrid.host.files import write_folder
from wingrid.host.images.image import Image
from wingrid.host.images.machines import SpecifiedMachine, play_entry
from wingrid.host.images.running import run_image
from wingrid.host.onnx_models.judge import output_difference
from wingrid.host.onnx_models.session import Value
from wingrid.host.soc.build_inputs import BuildInputs
from wingrid.host.soc.firmware import compiled, firmware_files
from wingrid.host.soc.hardware import require_soc, soc_hardware
from wingrid.host.soc.job import job_for
from wingrid.host.soc.layout import SOCS
from wingrid.host.soc.result import SampleResult, SocResult
from wingrid.host.soc.simulator import SocSimulator
from wingrid.host.soc.transcript import Sample, read_transcript
from wingrid.hw.registers import Counter
from wingrid.sim.memory import memory_names, named_memory

SMALLEST_RAM = 0x10000

UNTIMED = (Counter.BUSY, *(counter for counter in Counter if counter.name.startswith("BYTES_")))
"""Counters that are the same on every memory."""


def run_soc(directory: Path, memory: str, *, seed: int = 1, progress: Callable[[str], None] | None = None) -> SocResult:
    """Build the SoC for what ``write_build_inputs`` left in the folder, and run its samples.

    The SoC's files are put into ``soc/<memory>`` in there. ``seed`` draws what memories and registers hold at first.
    Raises ``UserError`` for what cannot be, ``ToolMissing``, ``BuildError``, ``SimulationError``, and ``MachineFault``
    with what the firmware complains of.
    """
    tell = progress or (lambda _: None)
    inputs = BuildInputs.load(directory)
    image = inputs.image
    require_soc(image.config, memory)
    job = job_for(image, inputs.inputs)
    ram_bytes = max(SMALLEST_RAM, 1 << (len(job.memory) - 1).bit_length())
    tell("LiteX makes the SoC")
    hardware = soc_hardware(inputs.hardware, image.config, memory, ram_bytes)
    sources = firmware_files(hardware.addresses, job.header)
    made = compiled(sources)
    library = hardware.library(progress)
    folder = directory / SOCS / memory
    files = {"soc.v": hardware.text.encode(), "soc.json": hardware.told.encode(), **sources, **made}
    write_folder(folder, files)

    promised = sum(entry.cycles for entry in image.contents.entries)
    said: list[str] = []
    with SocSimulator(library, made["firmware.bin"], job.memory, seed) as simulator:
        for line in simulator.lines(_patience(image, promised)):
            said.append(line)
            tell(line)
        cycles = simulator.cycles
    write_folder(folder, {"uart.txt": "".join(f"{line}\n" for line in said).encode()})
    ran = read_transcript(image, said)
    if len(ran) != inputs.samples:
        raise MachineFault(f"the firmware ran {len(ran)} of {inputs.samples} samples")
    estimates = {name: _estimate(image, name) for name in memory_names()}
    checked = []
    for number, sample in enumerate(ran):
        tell(f"sample {number} by the specification")
        given = {name: values[number] for name, values in inputs.inputs.items()}
        outputs = job.outputs(number, sample.outputs)
        golden = run_image(image, SpecifiedMachine(image, seed), given).outputs
        expected = {name: values[number] for name, values in inputs.outputs.items()}
        checked.append(
            SampleResult(
                sample,
                outputs,
                _wrong(outputs, golden, "the specification's")
                or _wrong(outputs, expected, "what it must be")
                or _miscounted(sample, estimates[memory]),
            )
        )
    return SocResult(image, memory, len(made["firmware.bin"]), cycles, checked, estimates)


def _estimate(image: Image, memory: str) -> dict[Counter, int]:
    """All counters by the timing model, on a named memory, summed over the entries."""
    timing = named_memory(memory, image.config.bus_bytes)
    played = [play_entry(image, entry, timing).counters for entry in image.contents.entries]
    return {counter: sum(counters[counter] for counters in played) for counter in Counter}


def _patience(image: Image, promised: int) -> int:
    """Cycles without a word after which the firmware is taken to hang: far more than it can need for anything."""
    return 10_000_000 + 20 * promised + 100 * image.contents.memory_bytes


def _wrong(outputs: Mapping[str, Value], expected: Mapping[str, Value], whose: str) -> str | None:
    found = (output_difference(name, outputs[name], np.asarray(value), whose) for name, value in expected.items())
    return next(filter(None, found), None)


def _miscounted(sample: Sample, model: Mapping[Counter, int]) -> str | None:
    """What the accelerator counted otherwise than it must on any memory."""
    for counter in UNTIMED:
        if sample.total(counter) != model[counter]:
            return f"{counter.name} is {sample.total(counter)} in place of {model[counter]}"
    return None
