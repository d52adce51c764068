"""The driver in Python: registers as words, memory as bytes, both mapped from device files or anything like them."""

from __future__ import annotations

import mmap
import os
import select
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from wingrid.host.images.binary import Contents, EntryRecord, TensorRecord, checksum, contents, require_sound
from wingrid.host.images.format import CHECKSUM_OFFSET
from wingrid.host.images.image import Image
from wingrid.host.images.running import ImageRun, read_tensor, run_loaded, write_tensor
from wingrid.hw.config import AXI_PAGE_BYTES
from wingrid.hw.isa import Fault
from wingrid.hw.registers import (
    AGREEMENTS,
    IDENTITY,
    INTERFACE_VERSION,
    VERSION,
    Control,
    Counter,
    Register,
    Status,
    counter_address,
)


class DeviceError(RuntimeError):
    """The accelerator, or its memory, is not what it should be or did not do what it should; the message says how."""


class DeviceTimeout(DeviceError):
    """A program or a reset did not end in time. It still runs."""


class DeviceFault(DeviceError):
    """The machine stopped at a fault, which stands until it is reset."""

    def __init__(self, fault: Fault, instruction: int) -> None:
        super().__init__(f"the accelerator stopped with {fault.name} at instruction {instruction}")
        self.fault = fault
        self.instruction = instruction


class Words(Protocol):
    """32-bit registers by their number, as a memory view of a mapped device file has them."""

    def __getitem__(self, index: int, /) -> int: ...

    def __setitem__(self, index: int, value: int, /) -> None: ...


class Interrupt(Protocol):
    """Where the accelerator's interrupt arrives."""

    def wait(self, seconds: float) -> bool:
        """Let it through once more; whether it has come before so much time has passed."""
        ...


class UioInterrupt:
    """The interrupt of a file like /dev/uio0: a write lets it through, a read takes it."""

    def __init__(self, file: int) -> None:
        self._file = file

    def wait(self, seconds: float) -> bool:
        """As ``Interrupt`` says."""
        os.write(self._file, (1).to_bytes(4, "little"))
        if not select.select([self._file], [], [], seconds)[0]:
            return False
        return len(os.read(self._file, 4)) == 4


PAUSE = 1e-4
"""Seconds between two looks at a register."""


@dataclass
class Device:
    """An accelerator with the memory that it shares with the processor.

    ``memory`` is uint8, seen by the accelerator's bus from ``address`` on, a multiple of 4096. Without an
    ``interrupt`` the driver looks at STATUS again and again. Raises ``DeviceError`` if there is no accelerator, or one
    with other instructions or registers than are known here.
    """

    registers: Words
    memory: npt.NDArray[np.uint8]
    address: int = 0
    interrupt: Interrupt | None = None

    def __post_init__(self) -> None:
        self._contents: Contents | None = None
        identity = self.read(Register.IDENTITY)
        if identity != IDENTITY:
            raise DeviceError(
                f"the device answers with identity {identity:#x}, not {IDENTITY:#x}: it is no accelerator"
            )
        version = self.read(Register.VERSION)
        if not AGREEMENTS[Register.VERSION].holds(VERSION, version):
            needed = ".".join(map(str, INTERFACE_VERSION))
            raise DeviceError(f"the device has version {version >> 16}.{version & 0xFFFF}, not {needed}")
        if self.address % AXI_PAGE_BYTES:
            raise DeviceError(f"the memory's address {self.address:#x} is no multiple of {AXI_PAGE_BYTES}")
        bits = self.read(Register.CONFIG_ADDRESS_BITS)
        if self.address + len(self.memory) - 1 >> bits:
            raise DeviceError(f"the accelerator's {bits} address bits do not reach memory at {self.address:#x}")

    def read(self, address: int) -> int:
        """A register, or a word of a counter."""
        return int(self.registers[address // 4])

    def write(self, address: int, value: int) -> None:
        """Write a register."""
        self.registers[address // 4] = value

    def load(self, image: Image) -> None:
        """Put an image into memory, and check it there, against its checksum and against the accelerator.

        Raises ``DeviceError``, and ``DamagedImage`` for an image that is not as it was written.
        """
        self._contents = None
        require_sound(image.binary, "the image")
        found = contents(image.binary)
        for address, (wanted, agreement) in found.readings.items():
            value = self.read(address)
            if not agreement.holds(wanted, value):
                name = Register(address).name
                raise DeviceError(f"the image is for {name} = {wanted:#x}, the accelerator has {value:#x}")
        if found.memory_bytes > len(self.memory):
            raise DeviceError(f"the image takes {found.memory_bytes} bytes of memory, and there are {len(self.memory)}")
        if self.status & Status.RUNNING:
            raise DeviceError("the accelerator runs a program")
        self.memory[: len(image.binary)] = np.frombuffer(image.binary, np.uint8)
        there = self.memory[: len(image.binary)].tobytes()
        if int.from_bytes(there[CHECKSUM_OFFSET : CHECKSUM_OFFSET + 4], "little") != checksum(there):
            raise DeviceError("the memory does not hold what was written to it")
        self._contents = found

    @property
    def status(self) -> Status:
        """What the machine is at."""
        return Status(self.read(Register.STATUS))

    def start(self, entry: EntryRecord) -> None:
        """Start an entry, whose inputs are in memory. Raises ``DeviceError`` if the machine cannot."""
        if self._contents is None:
            raise DeviceError("no image is loaded")
        status = self.status
        if status & (Status.RUNNING | Status.RESETTING):
            raise DeviceError("the accelerator runs a program")
        if status & Status.FAULT:
            raise DeviceError("a fault stands until the accelerator is reset")
        self.write(Register.INTERRUPT_PENDING, 1)
        self.write(Register.INTERRUPT_ENABLE, int(self.interrupt is not None))
        self.write(Register.BASE, self.address & 0xFFFF_FFFF)
        self.write(Register.BASE_HIGH, self.address >> 32)
        self.write(Register.PROGRAM, entry.program)
        self.write(Register.PROGRAM_LENGTH, entry.instructions)
        self.write(Register.CONTROL, Control.START)

    def wait(self, seconds: float = 10.0) -> None:
        """Wait for the end of what was started.

        Raises ``DeviceTimeout``, ``DeviceFault``, or ``DeviceError`` if the program has ended without an interrupt or
        was abandoned.
        """
        rose = self.interrupt is None
        if self.interrupt is not None:
            rose = self.interrupt.wait(seconds)
        else:
            self._until_clear(Status.RUNNING, seconds)
        status = self.status
        if status & Status.RUNNING:
            raise DeviceTimeout(f"the accelerator did not end within {seconds:g} s")
        self.write(Register.INTERRUPT_PENDING, 1)
        if status & Status.FAULT:
            raise DeviceFault(Fault(self.read(Register.FAULT)), self.read(Register.FAULT_PC))
        if not status & Status.DONE:
            raise DeviceError("the program was abandoned")
        if not rose:
            raise DeviceError("the program has ended, but its interrupt did not come")

    def run(self, entry: EntryRecord, seconds: float = 10.0) -> dict[Counter, int]:
        """Start an entry and wait for its end; what the machine counted."""
        self.start(entry)
        self.wait(seconds)
        return self.counters()

    def reset(self, seconds: float = 1.0) -> None:
        """Abandon what runs and clear a fault; memory stays as it is. Raises ``DeviceTimeout``."""
        self.write(Register.INTERRUPT_ENABLE, 0)
        self.write(Register.CONTROL, Control.RESET)
        if not self._until_clear(Status.RUNNING | Status.RESETTING | Status.FAULT, seconds):
            raise DeviceTimeout(f"the reset did not end within {seconds:g} s: memory does not answer")
        self.write(Register.INTERRUPT_PENDING, 1)

    def counters(self) -> dict[Counter, int]:
        """What the machine counted in its last program."""
        values = {}
        for counter in Counter:
            address = counter_address(counter)
            values[counter] = self.read(address) | self.read(address + 4) << 32
        return values

    def write_tensor(self, tensor: TensorRecord, values: npt.NDArray) -> None:
        """Put a tensor of int8 or uint8, of any shape in C order, into memory."""
        write_tensor(self.memory, tensor, values)

    def read_tensor(self, tensor: TensorRecord) -> npt.NDArray:
        """A tensor from memory, int8 or uint8 [elements]."""
        return read_tensor(self.memory, tensor)

    def infer(self, image: Image, inputs: Mapping[str, npt.NDArray]) -> ImageRun:
        """Run the whole network whose image is loaded, the host's work included; inputs by name.

        Raises ``UserError`` for inputs that are not the network's, and what ``wait`` raises.
        """
        return run_loaded(image, self, inputs)

    def _until_clear(self, bits: Status, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while self.status & bits:
            if time.monotonic() > end:
                return False
            time.sleep(PAUSE)
        return True


class MappedDevice(Device):
    """An accelerator behind device files, as Linux's userspace I/O and u-dma-buf have them.

        with MappedDevice("/dev/uio0", "/dev/udmabuf0") as device:
            device.load(image)
            device.infer(image, inputs).outputs

    ``memory`` is a u-dma-buf, whose size and address its folder in /sys tells; or any file that can be mapped, with
    ``memory_bytes`` and ``address``. Raises ``DeviceError`` as ``Device`` does, and ``OSError`` for files that cannot
    be opened or mapped.
    """

    def __init__(
        self,
        registers: str | Path,
        memory: str | Path,
        *,
        memory_bytes: int | None = None,
        address: int | None = None,
        offset: int = 0,
        polling: bool = False,
    ) -> None:
        about = Path("/sys/class/u-dma-buf") / Path(memory).name
        if memory_bytes is None:
            memory_bytes = int((about / "size").read_text(), 0)
        if address is None:
            address = int((about / "phys_addr").read_text(), 0)
        self._register_file = os.open(registers, os.O_RDWR | os.O_SYNC)
        try:
            words = memoryview(mmap.mmap(self._register_file, mmap.PAGESIZE)).cast("I")
            file = os.open(memory, os.O_RDWR | os.O_SYNC)
            try:
                content = np.frombuffer(mmap.mmap(file, memory_bytes, offset=offset), np.uint8)
            finally:
                os.close(file)
            interrupt = None if polling else UioInterrupt(self._register_file)
            super().__init__(words, content, address, interrupt)
        except BaseException:
            os.close(self._register_file)
            raise

    def close(self) -> None:
        """Give back the interrupt; mappings go with the last use of them."""
        os.close(self._register_file)

    def __enter__(self) -> MappedDevice:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
