"""The driver in Python, on the Verilated accelerator and on files that stand in for devices."""

from __future__ import annotations

import dataclasses
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from image_cases import ImageCase, digits_case
from layer_cases import SQUARE, WIDE

from wingrid.host.drivers.device import Device, DeviceError, DeviceFault, DeviceTimeout, MappedDevice, UioInterrupt
from wingrid.host.images.binary import DamagedImage
from wingrid.host.images.image import Image
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import Fault
from wingrid.hw.registers import IDENTITY, VERSION, Counter, Register, Status, readings
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.rtl.simulator import RtlSimulator, SimulationStalled


class SimulatedWords:
    """Registers of a simulated accelerator, by number as in a mapped file."""

    def __init__(self, device: RtlSimulator) -> None:
        self._device = device

    def __getitem__(self, index: int) -> int:
        return self._device.read_register(4 * index)

    def __setitem__(self, index: int, value: int) -> None:
        self._device.write_register(4 * index, int(value))


class SimulatedInterrupt:
    """Simulates until the interrupt is high; ``masked`` lets nothing through."""

    def __init__(self, device: RtlSimulator, masked: bool = False) -> None:
        self._device = device
        self._masked = masked

    def wait(self, seconds: float) -> bool:
        try:
            self._device.run_until_interrupt()
        except SimulationStalled:
            return False
        return not self._masked


@contextmanager
def simulated(
    image: Image,
    config: AcceleratorConfig = SQUARE,
    *,
    timing: MemoryTiming | None = None,
    base: int = 0,
    polling: bool = False,
    masked: bool = False,
) -> Iterator[tuple[Device, RtlSimulator]]:
    size = image.contents.memory_bytes
    timing = timing or image.timing
    with RtlSimulator(config, memory_bytes=size, base=base, timing=timing, patience=20_000) as device:
        interrupt = None if polling else SimulatedInterrupt(device, masked)
        yield Device(SimulatedWords(device), device.memory, base, interrupt), device


@pytest.fixture(scope="module")
def case() -> ImageCase:
    return digits_case()


@pytest.fixture(scope="module")
def image(case: ImageCase) -> Image:
    return case.image()


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize(("address_bits", "base"), [(32, 0), (32, 0x8765_4000), (40, 0x12_3456_7000)])
def test_digits_from_end_to_end(case: ImageCase, image: Image, address_bits: int, base: int) -> None:
    config = dataclasses.replace(SQUARE, address_bits=address_bits)
    with simulated(image, config, base=base) as (device, _):
        device.load(image)
        run = device.infer(image, case.inputs)
        assert case.wrong(run) is None
        (entry,) = image.contents.entries
        assert run.counters[entry.name][Counter.CYCLES] == entry.cycles


@pytest.mark.rtl
@pytest.mark.slow
def test_the_same_without_an_interrupt(case: ImageCase, image: Image) -> None:
    # Time passes while STATUS is read: a few cycles for each look.
    with simulated(image, polling=True) as (device, simulator):
        device.load(image)
        device.start(image.contents.entries[0])
        with pytest.raises(DeviceTimeout, match=r"^the accelerator did not end within 0 s$"):
            device.wait(0)
        while device.status & Status.RUNNING:
            pass
        device.wait(0)
        assert simulator.read_register(Register.INTERRUPT_ENABLE) == 0


@pytest.mark.rtl
@pytest.mark.slow
def test_faults_and_a_good_run_after(case: ImageCase, image: Image) -> None:
    (entry,) = image.contents.entries
    with simulated(image) as (device, simulator):
        with pytest.raises(DeviceError, match=r"^no image is loaded$"):
            device.start(entry)
        device.load(image)
        place = image.manifest["layers"][2]["weights"]
        simulator.inject_error(place, place + 3)
        with pytest.raises(
            DeviceFault, match=r"^the accelerator stopped with READ_ERROR at instruction \d+$"
        ) as caught:
            device.run(entry)
        assert caught.value.fault == Fault.READ_ERROR
        with pytest.raises(DeviceError, match=r"^a fault stands until the accelerator is reset$"):
            device.start(entry)
        simulator.clear_errors()
        device.reset()
        device.start(entry)
        with pytest.raises(DeviceError, match=r"^the accelerator runs a program$"):
            device.start(entry)
        with pytest.raises(DeviceError, match=r"^the accelerator runs a program$"):
            device.load(image)
        device.reset()
        with pytest.raises(DeviceError, match=r"^the program was abandoned$"):
            device.wait()
        device.load(image)
        assert case.wrong(device.infer(image, case.inputs)) is None


@pytest.mark.rtl
@pytest.mark.slow
def test_another_bitstream_memory_that_never_answers_and_a_masked_interrupt(image: Image) -> None:
    with simulated(image, WIDE) as (device, _):
        message = "the image is for SHAPE = 0x40004, the accelerator has 0x20003"
        with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
            device.load(image)
    with simulated(image, timing=MemoryTiming((1 << 31) - 1, 4)) as (device, _):
        device.load(image)
        with pytest.raises(DeviceTimeout, match=r"^the accelerator did not end within 10 s$"):
            device.run(image.contents.entries[0])
        with pytest.raises(DeviceTimeout, match=r"^the reset did not end within 0\.01 s: memory does not answer$"):
            device.reset(0.01)
    with simulated(image, masked=True) as (device, _):
        device.load(image)
        with pytest.raises(DeviceError, match=r"^the program has ended, but its interrupt did not come$"):
            device.run(image.contents.entries[0])


class PlainWords(dict[int, int]):
    """Registers that only read as what they are."""

    def __init__(self, config: AcceleratorConfig, **others: int) -> None:
        super().__init__({int(register) // 4: value for register, value in readings(config).items()})
        self.update({int(Register.STATUS) // 4: 0})
        self.update({int(Register[name]) // 4: value for name, value in others.items()})


def test_what_is_no_accelerator_or_another_one(image: Image) -> None:
    memory = np.zeros(image.contents.memory_bytes, np.uint8)
    for others, message in (
        ({"IDENTITY": 5}, f"the device answers with identity 0x5, not {IDENTITY:#x}: it is no accelerator"),
        ({"VERSION": 7 << 16 | 3}, "the device has version 7.3, not 1.7"),
        ({"VERSION": VERSION - 1}, "the device has version 1.6, not 1.7"),
    ):
        with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
            Device(PlainWords(SQUARE, **others), memory)
    with pytest.raises(DeviceError, match=r"^the memory's address 0x1010 is no multiple of 4096$"):
        Device(PlainWords(SQUARE), memory, 0x1010)
    with pytest.raises(DeviceError, match=r"^the accelerator's 32 address bits do not reach memory at 0xfffff000$"):
        Device(PlainWords(SQUARE), memory, 0xFFFF_F000)
    message = f"the image takes {len(memory)} bytes of memory, and there are {len(memory) - 1}"
    with pytest.raises(DeviceError, match=f"^{message}$"):
        Device(PlainWords(SQUARE), memory[:-1]).load(image)
    damaged = Image(image.binary[:-1] + bytes([image.binary[-1] ^ 1]), image.manifest, image.segments)
    with pytest.raises(DamagedImage, match=r"^the image is damaged: its checksum is not that of its content$"):
        Device(PlainWords(SQUARE), memory).load(damaged)


class Forgetful(np.ndarray):
    """Memory with a byte that cannot be written."""

    def tobytes(self, order: str = "C") -> bytes:  # type: ignore[override]
        content = bytearray(np.asarray(self).tobytes())
        content[-1] ^= 4
        return bytes(content)


def test_memory_that_does_not_hold_what_was_written(image: Image) -> None:
    memory = np.zeros(image.contents.memory_bytes, np.uint8).view(Forgetful)
    with pytest.raises(DeviceError, match=r"^the memory does not hold what was written to it$"):
        Device(PlainWords(SQUARE), memory).load(image)


def test_mapped_files(image: Image, tmp_path: Path) -> None:
    registers, memory = tmp_path / "uio", tmp_path / "memory"
    words = np.zeros(1024, "<u4")
    for register, value in readings(SQUARE).items():
        words[register // 4] = value
    registers.write_bytes(words.tobytes())
    memory.write_bytes(bytes(image.contents.memory_bytes))
    (entry,) = image.contents.entries
    with MappedDevice(
        registers, memory, memory_bytes=image.contents.memory_bytes, address=1 << 20, polling=True
    ) as device:
        device.load(image)
        device.start(entry)
        with pytest.raises(DeviceError, match=r"^the program was abandoned$"):
            device.wait(0)
    assert memory.read_bytes()[: len(image.binary)] == image.binary
    written = np.frombuffer(registers.read_bytes(), "<u4")
    assert (written[Register.PROGRAM // 4], written[Register.PROGRAM_LENGTH // 4]) == (
        entry.program,
        entry.instructions,
    )
    assert (written[Register.BASE // 4], written[Register.BASE_HIGH // 4]) == (1 << 20, 0)
    assert written[Register.CONTROL // 4] == 1
    with pytest.raises(FileNotFoundError):
        MappedDevice(tmp_path / "nothing", memory, memory_bytes=4096, address=0)


def test_an_interrupt_of_userspace_io_is_let_through_and_taken() -> None:
    here, there = socket.socketpair()
    with here, there:
        interrupt = UioInterrupt(here.fileno())
        there.send(struct.pack("<i", 1))
        assert interrupt.wait(5)
        assert there.recv(4) == struct.pack("<i", 1)
        assert not interrupt.wait(0.01)
