"""The C driver compiled for this computer, and bound to the Verilated accelerator without any Python in between."""

from __future__ import annotations

import ctypes
import functools
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from outside_judges import outside_judge

from wingrid.host.drivers.sources import driver_files
from wingrid.host.images.format import TENSOR
from wingrid.sim.rtl.simulator import RtlSimulator

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror")
FREESTANDING = ("-ffreestanding", "-fno-builtin", "-nostdlib")
CYCLES_PER_MICROSECOND = 100


@functools.cache
def sources() -> Path:
    """A folder with all files of the driver."""
    folder = Path(tempfile.mkdtemp(prefix="wingrid-"))
    for name, content in driver_files().items():
        (folder / name).write_bytes(content)
    return folder


def compile_c(compiler: str, *arguments: str) -> None:
    """Call a compiler in the folder of the sources; what it says against them fails the test."""
    done = subprocess.run([compiler, *WARNINGS, *arguments], cwd=sources(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr


class Simulated(ctypes.Structure):
    """``struct wingrid_simulated``."""

    _fields_ = [
        ("simulation", ctypes.c_void_p),
        ("read", ctypes.c_void_p),
        ("write", ctypes.c_void_p),
        ("run", ctypes.c_void_p),
        ("cycles_per_microsecond", ctypes.c_uint32),
        ("masked", ctypes.c_int),
        ("failed", ctypes.c_int),
    ]


class Wingrid(ctypes.Structure):
    """``struct wingrid``."""

    _fields_ = [
        ("access", ctypes.c_void_p),
        ("context", ctypes.c_void_p),
        ("memory", ctypes.c_void_p),
        ("memory_bytes", ctypes.c_uint32),
        ("address", ctypes.c_uint64),
        ("polling", ctypes.c_int),
        ("loaded", ctypes.c_int),
        ("wrong_register", ctypes.c_uint32),
        ("wrong_value", ctypes.c_uint32),
        ("fault_instruction", ctypes.c_uint32),
    ]


@functools.cache
def library() -> ctypes.CDLL:
    """The driver as a shared library, by gcc."""
    gcc = outside_judge("gcc", "gcc")
    names = ["wingrid.c", "wingrid_simulated.c", "wingrid_quantise.c", "wingrid_bare.c"]
    compile_c(gcc, "-O2", "-ffreestanding", "-fno-builtin", "-fPIC", "-shared", *names, "-o", "driver.so")
    driver = ctypes.CDLL(str(sources() / "driver.so"))
    driver.wingrid_text.restype = ctypes.c_char_p
    driver.wingrid_counter.restype = ctypes.c_uint64
    driver.wingrid_quantise.restype = ctypes.c_uint8
    driver.wingrid_quantise.argtypes = [ctypes.c_void_p, ctypes.c_float]
    driver.wingrid_dequantise.restype = ctypes.c_float
    driver.wingrid_dequantise.argtypes = [ctypes.c_void_p, ctypes.c_uint8]
    return driver


def error(name: str) -> int:
    """The number of an error, from the header itself."""
    text = (sources() / "wingrid.h").read_text().split("enum wingrid_error {")[1].split("}")[0]
    names = [line.split(",")[0].split("=")[0].strip() for line in text.splitlines() if "WINGRID_" in line]
    return 32 if name == "WINGRID_FAULT" else names.index(name)


class PlainMachine:
    """Registers that read as what they are told, and nothing behind them."""

    def __init__(self, registers: Mapping[int, int], memory: np.ndarray) -> None:
        u32 = ctypes.c_uint32
        reader = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, u32, ctypes.POINTER(u32))
        writer = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, u32, u32)
        runner = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64)

        def read(simulation: int, address: int, value: Any) -> int:  # noqa: ANN401 (a pointer)
            value[0] = registers.get(address, 0)
            return 0

        self.wingrid_read = reader(read)
        self.wingrid_write = writer(lambda *_: 0)
        self.wingrid_run = runner(lambda *_: 0)
        self.memory = memory

    @property
    def _library(self) -> PlainMachine:
        return self

    def _open(self) -> int:
        return 0


class CDriver:
    """The driver on a machine with ``RtlSimulator``'s interface, told that its memory is at ``address`` on the bus."""

    def __init__(self, device: RtlSimulator | PlainMachine, address: int = 0) -> None:
        self.device: Any = device
        self._driver = library()
        simulator: Any = device._library
        pointers = [
            ctypes.cast(getattr(simulator, f"wingrid_{name}"), ctypes.c_void_p) for name in ("read", "write", "run")
        ]
        self.machine = Simulated(device._open(), *pointers, CYCLES_PER_MICROSECOND, 0, 0)
        self.state = Wingrid()
        self._address = address

    def open(self) -> int:
        memory = self.device.memory
        access = ctypes.c_char.in_dll(self._driver, "wingrid_simulated_access")
        return self._call(
            "open", ctypes.byref(access), ctypes.byref(self.machine), ctypes.c_void_p(memory.ctypes.data), len(memory),
            ctypes.c_uint64(self._address),
        )  # fmt: skip

    def load(self, image: bytes) -> int:
        return self._call("load", image, len(image))

    def attach(self) -> int:
        return self._call("attach")

    def find_tensor(self, name: str) -> int:
        return self._call("find_tensor", name.encode())

    def find_entry(self, name: str) -> int:
        return self._call("find_entry", name.encode())

    def tensor(self, index: int) -> np.ndarray:
        """A record of the image's table, as an array of one."""
        record = np.zeros(1, TENSOR.dtype)
        assert self._call("tensor", index, ctypes.c_void_p(record.ctypes.data)) == 0
        return record

    def write_tensor(self, index: int, values: np.ndarray) -> int:
        return self._call("write_tensor", index, ctypes.c_void_p(np.ascontiguousarray(values).ctypes.data))

    def read_tensor(self, index: int, values: np.ndarray) -> int:
        return self._call("read_tensor", index, ctypes.c_void_p(values.ctypes.data))

    def start(self, entry: int) -> int:
        return self._call("start", entry)

    def wait(self, microseconds: int) -> int:
        return self._call("wait", microseconds)

    def run(self, entry: int, microseconds: int = 100_000) -> int:
        return self._call("run", entry, microseconds)

    def reset(self, microseconds: int = 1000) -> int:
        return self._call("reset", microseconds)

    def counter(self, counter: int) -> int:
        return int(self._driver.wingrid_counter(ctypes.byref(self.state), counter))

    def text(self, number: int) -> str:
        return str(self._driver.wingrid_text(number).decode())

    def _call(self, name: str, *arguments: object) -> int:
        result = int(getattr(self._driver, f"wingrid_{name}")(ctypes.byref(self.state), *arguments))
        assert not self.machine.failed, self.device._library.wingrid_message(self.device._open())
        return result
