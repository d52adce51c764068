"""Networks run from their images alone, on the executable specification and on the RTL, and give the judges' bits."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from image_cases import built_in_case, digits_case, random_graph_case
from layer_cases import SQUARE, WIDE

from wingrid.host.compiler.compile_layer import compile_exactly
from wingrid.host.errors import UserError
from wingrid.host.execution.driver import MachineFault
from wingrid.host.execution.layer_times import play
from wingrid.host.images.image import Image
from wingrid.host.images.machines import RtlMachine, SpecifiedMachine, play_entry
from wingrid.host.images.running import run_image, run_loaded
from wingrid.host.onnx_models.graph import AcceleratedStep
from wingrid.hw.config import INSTRUCTION_BYTES, AcceleratorConfig
from wingrid.hw.encoding import record
from wingrid.hw.isa import Load
from wingrid.hw.registers import Counter
from wingrid.sim.memory import Dram, MemoryTiming


def entries(image: Image) -> list[list[str]]:
    return [step["layers"] for step in image.manifest["steps"] if "entry" in step]


def reloaded(image: Image) -> Image:
    """As if from its files: nothing of how it was made is left."""
    files = image.files()
    return Image(files.pop("image.bin"), image.manifest, {name: files[name] for name in image.segments})


def test_digits_are_one_start_and_one_interrupt() -> None:
    case = digits_case()
    image = reloaded(case.image())
    assert len(entries(image)) == 1
    assert len(entries(image)[0]) == len(case.graph.accelerated) == 8
    assert [step["host"] for step in image.manifest["steps"] if "host" in step] == [
        ["QuantizeLinear"],
        ["DequantizeLinear"],
    ]
    assert case.wrong(run_image(image, SpecifiedMachine(image), case.inputs)) is None


def test_pruned_layers_are_streams_in_an_image_too() -> None:
    case, config = digits_case(name="digits-compressed"), dataclasses.replace(SQUARE, sparse=1)
    steps = [step for step in case.work.steps if isinstance(step, AcceleratedStep)]
    alone = [compile_exactly(step.layer, lambda step=step: step.operands, config) for step in steps]
    assert [layer.algorithm for layer in alone[-2:]] == ["sparse", "sparse"]
    image = reloaded(case.image(config))
    assert case.wrong(run_image(image, SpecifiedMachine(image), case.inputs)) is None


def test_an_entry_takes_no_longer_than_its_layers_one_by_one() -> None:
    case = digits_case()
    image = case.image()
    steps = [step for step in case.work.steps if isinstance(step, AcceleratedStep)]
    alone = [compile_exactly(step.layer, lambda step=step: step.operands, SQUARE) for step in steps]
    cycles = [play(layer, layer.program, image.timing).cycles for layer in alone]
    (entry,) = image.contents.entries
    assert 0 < sum(cycles) - entry.cycles < 300 * len(alone)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "images", "config", "counts"),
    [
        # A batch stands below each other from the first fully connected layer on.
        ("vgg16", 1, SQUARE, [16]),
        ("vgg16", 2, SQUARE, [13, 3]),
        # Blocks of output channels are no blocks of input channels where rows and columns differ.
        ("vgg16", 1, WIDE, [1] * 16),
        # The host normalises after the first two layers.
        ("alexnet", 1, SQUARE, [1, 1, 6]),
    ],
)
def test_built_in_networks(name: str, images: int, config: AcceleratorConfig, counts: list[int]) -> None:
    case = built_in_case(name, images)
    image = reloaded(case.image(config))
    assert [len(layers) for layers in entries(image)] == counts
    assert case.wrong(run_image(image, SpecifiedMachine(image), case.inputs)) is None


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_random_graphs_equal_onnx_runtime(seed: int) -> None:
    case = random_graph_case(seed)
    image = reloaded(case.image())
    run = run_image(image, SpecifiedMachine(image, seed + 1), case.inputs)
    assert case.wrong(run) is None, f"seed {seed}: {case.work.name}"


def without_fences(image: Image) -> Image:
    """The image with layers that do not wait for each other, and the checksum of nothing: only for machines here."""
    content = bytearray(image.binary)
    for entry in image.contents.entries:
        stop = entry.program + entry.instructions * INSTRUCTION_BYTES
        words = np.frombuffer(memoryview(content)[entry.program : stop], record(Load))
        words["fence"][words["opcode"] == Load.opcode] = 0
    return Image(bytes(content), image.manifest, image.segments)


def test_layers_that_do_not_wait_for_each_other_read_what_is_not_written_yet() -> None:
    case = digits_case()
    image = without_fences(case.image())
    outcomes = []
    for seed in range(1, 4):
        try:
            outcomes.append(case.wrong(run_image(image, SpecifiedMachine(image, seed), case.inputs)))
        except ValueError as error:
            outcomes.append(str(error))
    assert any(outcomes)


def test_inputs_that_are_not_the_networks_are_refused() -> None:
    case = digits_case()
    image = case.image()
    machine = SpecifiedMachine(image)
    for inputs, message in (
        ({}, "the network takes x, and is given nothing"),
        ({"x": np.zeros((1, 1, 2, 2), np.float32)}, "input x must be float32 [1, 1, 32, 32], not float32 [1, 1, 2, 2]"),
        ({"y": next(iter(case.inputs.values()))}, "the network takes x, and is given y"),
    ):
        with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
            run_image(image, machine, inputs)


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize(
    "timing",
    [None, MemoryTiming(3, 2), MemoryTiming(90, 4, Dram(banks=2, row_miss=9, refresh_interval=700, refresh_cycles=60))],
    ids=["ideal", "narrow", "dram"],
)
def test_digits_on_the_rtl_take_the_bits_and_the_cycles_that_were_promised(timing: MemoryTiming | None) -> None:
    case = digits_case()
    image = reloaded(case.image())
    with RtlMachine(image, timing) as machine:
        run = run_image(image, machine, case.inputs)
        again = run_loaded(image, machine, case.inputs)
    assert case.wrong(run) is None
    assert case.wrong(again) is None
    assert run.counters == again.counters
    assert set(machine.differences.values()) == {None}
    for entry in image.contents.entries:
        assert run.counters[entry.name] == play_entry(image, entry, timing).counters
        assert timing is not None or run.counters[entry.name][Counter.CYCLES] == entry.cycles


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize(
    ("address_bits", "base"),
    [(32, 0x8765_4000), (40, 0), (40, 0xFF_FF00_3000), (64, 0xFEDC_BA98_7654_3000)],
    ids=["below 4 GiB", "wide addresses", "above 4 GiB", "64 bits"],
)
@pytest.mark.parametrize(
    "timing", [None, MemoryTiming(90, 4, Dram(banks=2, row_miss=9, refresh_interval=700, refresh_cycles=60))], ids=str
)
def test_an_image_runs_the_same_wherever_it_lies(address_bits: int, base: int, timing: MemoryTiming | None) -> None:
    """Nothing is at its offsets themselves: an address without its base, or with a part of it, is a fault."""
    case = digits_case()
    image = reloaded(case.image(dataclasses.replace(SQUARE, address_bits=address_bits)))
    with RtlMachine(image, timing, base=base) as machine:
        run = run_image(image, machine, case.inputs)
    assert case.wrong(run) is None
    assert set(machine.differences.values()) == {None}
    for entry in image.contents.entries:
        assert run.counters[entry.name] == play_entry(image, entry, timing).counters
        assert timing is not None or run.counters[entry.name][Counter.CYCLES] == entry.cycles


@pytest.mark.rtl
@pytest.mark.slow
def test_a_program_whose_base_is_not_that_of_its_memory_reads_outside() -> None:
    image = digits_case().image()
    (entry,) = image.contents.entries
    with RtlMachine(image, base=0x8765_4000) as machine:
        machine.device.base = 0
        with pytest.raises(MachineFault, match=r"^the accelerator stopped with READ_ERROR at instruction 0 "):
            machine.run(entry)


def test_wide_addresses_change_nothing_but_their_own_reading() -> None:
    narrow, wide = (digits_case().image(dataclasses.replace(SQUARE, address_bits=bits)) for bits in (32, 40))
    assert narrow.contents.entries == wide.contents.entries
    start = narrow.contents.entries[0].program
    assert narrow.binary[start:] == wide.binary[start:]


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "images", "config"), [("vgg16", 1, SQUARE), ("vgg16", 2, WIDE), ("alexnet", 1, SQUARE)]
)
def test_built_in_networks_on_the_rtl(name: str, images: int, config: AcceleratorConfig) -> None:
    case = built_in_case(name, images)
    image = reloaded(case.image(config))
    with RtlMachine(image) as machine:
        run = run_image(image, machine, case.inputs)
    assert case.wrong(run) is None
    assert set(machine.differences.values()) == {None}
    assert {name: counters[Counter.CYCLES] for name, counters in run.counters.items()} == {
        entry.name: entry.cycles for entry in image.contents.entries
    }
