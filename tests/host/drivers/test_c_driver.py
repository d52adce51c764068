"""The very C driver on the Verilated accelerator: digits from end to end, and everything that can go wrong."""

from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from c_driver import CDriver, error, library
from image_cases import ImageCase, digits_case
from layer_cases import SQUARE, WIDE

from wingrid.host.images.binary import Tables, checksum
from wingrid.host.images.format import CHECKSUM_OFFSET
from wingrid.host.images.image import Image
from wingrid.host.onnx_models.graph_walk import golden_outputs
from wingrid.hw.config import INSTRUCTION_BYTES, AcceleratorConfig
from wingrid.hw.encoding import encode
from wingrid.hw.isa import Execute, Fault, Semaphore
from wingrid.hw.registers import IDENTITY, VERSION, Control, Counter, Register, Status
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.rtl.simulator import RtlSimulator

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

OK = 0


@pytest.fixture(scope="module")
def case() -> ImageCase:
    return digits_case()


@pytest.fixture(scope="module")
def image(case: ImageCase) -> Image:
    return case.image()


@contextmanager
def opened(
    image: Image,
    config: AcceleratorConfig = SQUARE,
    *,
    timing: MemoryTiming | None = None,
    memory_bytes: int = 0,
    base: int = 0,
    loaded: bool = True,
) -> Iterator[CDriver]:
    size = memory_bytes or image.contents.memory_bytes
    with RtlSimulator(config, memory_bytes=size, base=base, timing=timing or image.timing) as device:
        driver = CDriver(device, base)
        assert driver.open() == OK
        if loaded:
            assert driver.load(image.binary) == OK
        yield driver


def infer(driver: CDriver, image: Image, x: np.ndarray, *, run: bool = True) -> np.ndarray:
    """The classes' logits, float32 [10], quantised, run and dequantised by the driver."""
    taken, left = (driver.find_tensor(image.manifest["steps"][1][side][0]) for side in ("inputs", "outputs"))
    source, target = driver.tensor(taken), driver.tensor(left)
    quantise, dequantise = library().wingrid_quantise, library().wingrid_dequantise
    values = np.array([quantise(source.ctypes.data, float(value)) for value in x.reshape(-1)], np.uint8)
    assert driver.write_tensor(taken, values) == OK
    if run:
        assert driver.run(0) == OK, driver.text(driver.run(0))
    elements = np.zeros(int(target["elements"][0]), np.uint8)
    assert driver.read_tensor(left, elements) == OK
    return np.array([dequantise(target.ctypes.data, int(element)) for element in elements], np.float32)


def expected(case: ImageCase) -> np.ndarray:
    (logits,) = golden_outputs(case.graph, case.inputs).values()
    return logits.reshape(-1)


@pytest.mark.parametrize("polling", [False, True], ids=["by interrupt", "polling"])
def test_digits_from_end_to_end(case: ImageCase, image: Image, polling: bool) -> None:
    (x,) = case.inputs.values()
    with opened(image) as driver:
        driver.state.polling = int(polling)
        for _ in range(2):
            np.testing.assert_array_equal(infer(driver, image, x), expected(case))
            assert driver.counter(Counter.CYCLES) == image.contents.entries[0].cycles
            assert driver.device.read_register(Register.INTERRUPT_PENDING) == 0
            assert driver.device.read_register(Register.INTERRUPT_ENABLE) == int(not polling)
        assert driver.find_entry(image.contents.entries[0].name) == 0
        assert driver.find_entry("nothing") == driver.find_tensor("") == -1
        assert driver.run(1) == driver.write_tensor(99, x) == driver.read_tensor(99, x) == error("WINGRID_UNKNOWN")


@pytest.mark.parametrize(("address_bits", "base"), [(32, 0xFFF0_0000), (40, 0x12_3456_7000)])
def test_an_image_for_one_width_of_addresses_runs_at_any_place_of_another(
    case: ImageCase, image: Image, address_bits: int, base: int
) -> None:
    (x,) = case.inputs.values()
    with opened(image, dataclasses.replace(SQUARE, address_bits=address_bits), base=base) as driver:
        np.testing.assert_array_equal(infer(driver, image, x), expected(case))
        assert driver.counter(Counter.CYCLES) == image.contents.entries[0].cycles
        assert driver.device.read_register(Register.BASE) == base & 0xFFFF_FFFF
        assert driver.device.read_register(Register.BASE_HIGH) == base >> 32


def test_another_bitstream_is_noticed(image: Image) -> None:
    with opened(image, WIDE, loaded=False, timing=MemoryTiming(40, 4)) as driver:
        assert driver.load(image.binary) == error("WINGRID_OTHER_CONFIGURATION")
        assert (driver.state.wrong_register, driver.state.wrong_value) == (Register.SHAPE, 2 << 16 | 3)
        assert driver.run(0) == error("WINGRID_NOT_LOADED")


def other_reading(image: Image, register: Register, wanted: int) -> bytes:
    """The image as if it were made for an accelerator on which that register reads otherwise."""
    contents = image.contents
    tables = Tables(SQUARE, contents.entries, contents.tensors)
    whole = tables.file(image.binary[tables.size :], contents.memory_bytes)
    start = whole.index(int(register).to_bytes(4, "little") + contents.readings[register][0].to_bytes(4, "little"))
    changed = bytearray(whole)
    changed[start + 4 : start + 8] = wanted.to_bytes(4, "little")
    return resealed(changed)


def resealed(changed: bytearray) -> bytes:
    changed[CHECKSUM_OFFSET : CHECKSUM_OFFSET + 4] = checksum(changed).to_bytes(4, "little")
    return bytes(changed)


def test_every_reading_is_held_against_its_rule(image: Image) -> None:
    """On one accelerator, images made for others: what they want differs by one, either way."""
    with opened(image, loaded=False) as driver:
        for register, (value, rule) in image.contents.readings.items():
            for step in (-1, 1):
                got = driver.load(other_reading(image, Register(register), value + step & 0xFFFFFFFF))
                fits = rule.holds(value + step & 0xFFFFFFFF, value)
                version = error("WINGRID_OTHER_VERSION")
                wanted = version if register == Register.VERSION else error("WINGRID_OTHER_CONFIGURATION")
                assert got == (OK if fits else wanted), Register(register).name
                if not fits:
                    assert (driver.state.wrong_register, driver.state.wrong_value) == (register, value)
        assert driver.load(image.binary) == OK


def test_something_else_in_place_of_the_accelerator(image: Image) -> None:
    with opened(image, loaded=False) as driver:
        read = driver.machine.read
        for register, value, wanted in (
            (Register.IDENTITY, IDENTITY + 1, "WINGRID_NO_ACCELERATOR"),
            (Register.IDENTITY, 0xFFFFFFFF, "WINGRID_NO_ACCELERATOR"),
            (Register.VERSION, 2 << 16, "WINGRID_OTHER_VERSION"),
            (Register.VERSION, VERSION - 1, "WINGRID_OTHER_VERSION"),
        ):
            substitute = reading_as(driver, int(register), value)
            driver.machine.read = substitute[0]
            assert driver.open() == error(wanted)
            driver.machine.read = read
        assert driver.open() == OK


def reading_as(driver: CDriver, register: int, value: int) -> tuple[int, object]:
    """A read function under which a register reads as something else."""
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32))
    true = kind(driver.machine.read)

    @kind
    def read(simulation: int, address: int, target: ctypes._Pointer[ctypes.c_uint32]) -> int:
        status = true(simulation, address, target)
        if address == register:
            target[0] = value
        return int(status)

    return ctypes.cast(read, ctypes.c_void_p).value or 0, read


def test_a_damaged_image_is_noticed(image: Image) -> None:
    random = np.random.default_rng(9)
    with opened(image, loaded=False) as driver:
        for bit in [96, 8 * len(image.binary) - 1, *random.integers(8 * 48, 8 * len(image.binary), 12)]:
            damaged = bytearray(image.binary)
            damaged[bit // 8] ^= 1 << bit % 8
            assert driver.load(bytes(damaged)) == error("WINGRID_DAMAGED_IMAGE"), bit
            assert driver.run(0) == error("WINGRID_NOT_LOADED")
        assert driver.load(image.binary[:-1]) == error("WINGRID_DAMAGED_IMAGE")
        assert driver.load(image.binary[:7]) == error("WINGRID_NO_IMAGE")
        assert driver.load(b"something else" * 100) == error("WINGRID_NO_IMAGE")
        newer = bytearray(image.binary)
        newer[6] += 1
        assert driver.load(bytes(newer)) == error("WINGRID_OTHER_FORMAT")
        assert driver.load(image.binary) == OK
        driver.device.memory[len(image.binary) - 1] ^= 1
        assert driver.attach() == error("WINGRID_DAMAGED_IMAGE")
        driver.device.memory[len(image.binary) - 1] ^= 1
        assert driver.attach() == OK


def test_a_memory_that_is_too_small_or_lies_badly(image: Image) -> None:
    with opened(image, memory_bytes=image.contents.memory_bytes - 4096, loaded=False) as driver:
        assert driver.load(image.binary) == error("WINGRID_SMALL_MEMORY")
    with RtlSimulator(SQUARE, memory_bytes=1 << 16) as device:
        assert CDriver(device, 64).open() == error("WINGRID_UNALIGNED_MEMORY")
        for address in (0xFFFF_1000, 1 << 32, (1 << 64) - 4096):
            assert CDriver(device, address).open() == error("WINGRID_UNREACHABLE_MEMORY"), hex(address)
        assert CDriver(device, 0xFFFF_0000).open() == OK
        assert CDriver(device, 0).open() == OK


@pytest.mark.parametrize("fault", ["READ_ERROR", "WRITE_ERROR"])
def test_an_error_of_the_bus_and_a_good_run_after_a_reset(case: ImageCase, image: Image, fault: str) -> None:
    (x,) = case.inputs.values()
    layers = image.manifest["layers"]
    place = layers[3]["weights"] if fault == "READ_ERROR" else image.tensor(layers[3]["output"]).offset
    # Tensors share memory: the first layer that writes there is the one that fails.
    outputs = [image.tensor(layer["output"]) for layer in layers]
    covered = [tensor.offset <= place < tensor.offset + tensor.layout.bytes for tensor in outputs]
    failing = 3 if fault == "READ_ERROR" else covered.index(True)
    with opened(image) as driver:
        driver.device.inject_error(place, place + 3)
        infer(driver, image, x, run=False)
        assert driver.run(0) == 32 + Fault[fault]
        program = image.binary[image.contents.entries[0].program :]
        # The instruction that is blamed is one of the layer that the place belongs to.
        before = sum(layer["instructions"] for layer in layers[:failing])
        assert before <= driver.state.fault_instruction < before + layers[failing]["instructions"]
        opcode = program[driver.state.fault_instruction * INSTRUCTION_BYTES]
        assert opcode == (1 if fault == "READ_ERROR" else 3)
        assert driver.run(0) == error("WINGRID_FAULTY")
        driver.device.clear_errors()
        assert driver.reset() == OK
        np.testing.assert_array_equal(infer(driver, image, x), expected(case))


def test_a_reset_in_the_middle_and_a_good_run_after(case: ImageCase, image: Image) -> None:
    (x,) = case.inputs.values()
    with opened(image) as driver:
        infer(driver, image, x, run=False)
        for microseconds in (1, 5, 37, 300):
            assert driver.start(0) == OK
            assert driver.wait(microseconds) == error("WINGRID_TIMEOUT")
            assert driver.start(0) == error("WINGRID_BUSY")
            assert driver.load(image.binary) == error("WINGRID_BUSY")
            driver.state.loaded = 1
            assert driver.reset() == OK
            assert driver.device.read_register(Register.STATUS) == 0
            assert driver.device.read_register(Register.INTERRUPT_PENDING) == 0
            assert driver.wait(1) == error("WINGRID_STOPPED")
        np.testing.assert_array_equal(infer(driver, image, x), expected(case))
        assert driver.counter(Counter.CYCLES) == image.contents.entries[0].cycles


def test_a_memory_that_never_answers(image: Image) -> None:
    with opened(image, timing=MemoryTiming((1 << 31) - 1, 4)) as driver:
        assert driver.run(0, 200) == error("WINGRID_TIMEOUT")
        driver.state.polling = 1
        assert driver.wait(50) == error("WINGRID_TIMEOUT")
        assert driver.reset(50) == error("WINGRID_TIMEOUT")
        assert driver.start(0) == error("WINGRID_BUSY")


def test_an_interrupt_that_is_masked(case: ImageCase, image: Image) -> None:
    (x,) = case.inputs.values()
    with opened(image) as driver:
        driver.machine.masked = 1
        infer(driver, image, x, run=False)
        assert driver.run(0, 20_000) == error("WINGRID_NO_INTERRUPT")
        driver.state.polling = 1
        np.testing.assert_array_equal(infer(driver, image, x), expected(case))


def test_a_program_that_waits_for_what_never_comes(image: Image) -> None:
    entry = image.contents.entries[0]
    with opened(image) as driver:
        stuck = np.frombuffer(encode(Execute(wait=1 << Semaphore.WEIGHTS_LOADED)), np.uint8)
        driver.device.memory[entry.program : entry.program + INSTRUCTION_BYTES] = stuck
        assert driver.run(0, 20_000) == 32 + Fault.DEADLOCK
        assert driver.text(32 + Fault.DEADLOCK) == "the program waits for what never comes"
        driver.device.memory[entry.program] = 0
        assert driver.reset() == OK
        assert driver.run(0, 20_000) == 32 + Fault.ILLEGAL_INSTRUCTION
        assert driver.state.fault_instruction == 0


def test_the_machine_is_left_as_others_find_it(image: Image) -> None:
    with opened(image) as driver:
        # A program of no instructions, by somebody who takes no interrupt.
        driver.device.write_register(Register.CONTROL, Control.START)
        while driver.device.read_register(Register.STATUS) != Status.DONE:
            pass
        assert driver.device.read_register(Register.INTERRUPT_PENDING) == 1
        assert driver.run(0) == OK
