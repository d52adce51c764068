"""What is true of a build's folder: each check is made on the files that lie there, at the build and later on.

The results are numbers and truth values by name, ready for JSON, so that two of them are compared with ``==``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from wingrid.host.bitstreams.write_bitstream import BitstreamResult
from wingrid.host.builds import contents
from wingrid.host.builds.order import Order
from wingrid.host.builds.reference import Reference, differing, reference
from wingrid.host.images.image import Image
from wingrid.host.images.machines import RtlMachine
from wingrid.host.images.running import run_image
from wingrid.host.silicon.family import KINDS
from wingrid.host.silicon.synth_result import SynthResult
from wingrid.host.test_benches.generate import Recorder
from wingrid.host.test_benches.running import Simulator, run_test_bench
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.registers import Counter
from wingrid.sim.tools import BuildError

Says = Callable[[str], None]
Results = dict[str, Any]


def reference_of(folder: Path, order: Order, config: AcceleratorConfig) -> Reference:
    """The reference of the folder's network, computed anew; a user's model is the one in the folder."""
    network = str(folder / contents.MODEL) if order.network == contents.MODEL else order.network
    return reference(network, config, order.sizes, int8_kernels=order.int8_kernels)


def judged_files(folder: Path, image: Image, wanted: Reference) -> Results:
    """Whether Verilog, image, input and outputs are those that are made today of the same."""
    _, anew = contents.image_files(wanted, image.config, image.timing)
    hardware = contents.hardware_files(image.config)
    return {
        "verilog_is_what_is_generated": _same(folder, hardware),
        "image_is_what_is_compiled": _same(folder, anew),
        "expected_outputs_are_goldens": _same(folder, contents.expected_files(wanted)),
        "onnxruntime_equal": wanted.onnxruntime_equal,
    }


def judged_rtl(folder: Path, image: Image, says: Says) -> tuple[Results, Recorder]:
    """The whole network on the very Verilog of the folder: outputs, cycles of each entry, all counters and events.

    With it comes what each entry took and left in memory.
    """
    verilog = (folder / contents.VERILOG).read_text()
    inputs = contents.expected_inputs(folder)
    expected = contents.expected_outputs(folder)
    promised = {entry.name: entry.cycles for entry in image.contents.entries}
    total = sum(promised.values())

    def progress(cycle: int) -> None:
        says(f"RTL: cycle {cycle:,} of about {total:,}")

    says("RTL: building the simulator")
    with RtlMachine(image, verilog=verilog, progress=progress) as machine:
        recorder = Recorder(image, machine)
        run = run_image(image, recorder, inputs)
        cycles = {name: counters[Counter.CYCLES] for name, counters in run.counters.items()}
        results = {
            "outputs_equal": not differing(run.outputs, expected),
            "cycles": cycles,
            "cycles_are_those_promised": cycles == promised,
            "timing_equal": not any(machine.differences.values()),
        }
    return results, recorder


def judged_test_bench(folder: Path, simulator: Simulator, says: Says) -> Results:
    """The test bench of the folder in a simulator."""
    says(f"test bench: {simulator}")
    outcome = run_test_bench(folder / contents.TEST_BENCH, simulator)
    return {"passed": outcome.passed, "cycles": list(outcome.cycles)}


def judged_silicon(result: SynthResult, planned: float | None) -> Results:
    """What synthesis, and place and route if there was one, found."""
    clock = None
    if result.mhz is not None:
        clock = {
            "mhz": round(result.mhz, 2),
            "planned_mhz": planned,
            "seeds": [route.seed for route in result.routes],
            "reached": planned is None or result.mhz >= planned,
        }
    return {
        "cells": {kind: result.total.counts[kind] for kind in KINDS},
        "share": {name: round(share, 4) for name, share in result.share.items()},
        "fits": result.fits,
        "clock": clock,
    }


def judged_bitstream(result: BitstreamResult) -> Results:
    """What a bitstream's routing, and the simulation of its netlist, found. There is none if outputs differ."""
    return {"outputs_equal": True, **result.figures()}


def require(results: Mapping[str, Any]) -> None:
    """Raise ``BuildError`` if a check did not hold."""
    if failed := list(failures(results)):
        raise BuildError("what was built is not what was promised: " + "; ".join(f"{name}: no" for name in failed))


def failures(results: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The names of all checks that did not hold: truth values that are false."""
    for name, value in results.items():
        place = f"{path}{name}"
        if isinstance(value, Mapping):
            yield from failures(value, f"{place}: ")
        elif value is False:
            yield place.replace("_", " ")


def others(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Names of the files that hold something else in the folder."""
    return [name for name, content in files.items() if (folder / name).read_bytes() != content]


def _same(folder: Path, files: Mapping[str, bytes]) -> bool:
    return not others(folder, files)
