"""The C driver's tensors and real numbers, without a machine: against the layouts' own account, and ONNX Runtime."""

from __future__ import annotations

import ctypes
import dataclasses
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from c_driver import CDriver, PlainMachine, Wingrid, compile_c, error, library, sources
from layer_cases import SQUARE, WIDE, pooled_layer, random_case, random_layer
from onnx import TensorProto, helper
from outside_judges import outside_judge

from wingrid.host.compiler import cutting
from wingrid.host.compiler.compile_layer import plan_exactly
from wingrid.host.images.binary import Tables, TensorRecord
from wingrid.host.images.format import TENSOR, ElementType
from wingrid.host.images.layer_layouts import input_layout, output_layout
from wingrid.host.images.tensor_layout import TensorLayout
from wingrid.host.networks.layer import LayerError, fully_connected, matrix_product
from wingrid.host.onnx_models.graph import IMAGES, ROWS, AcceleratedStep
from wingrid.host.onnx_models.session import compute, open_session
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.registers import Register, Status, readings

pytestmark = pytest.mark.slow

OK = 0


def layouts(config: AcceleratorConfig, seed: int) -> list[TensorLayout]:
    """Of the input and the output of a random layer."""
    random = np.random.default_rng([seed, 44])
    layer = pooled_layer(random) if seed % 4 == 0 else random_layer(random)
    arrangement, taken, left = IMAGES, None, None
    if seed % 10 == 3:
        layer = random_layer(random, matrix_product(5, 7, 6))
        arrangement, taken, left = ROWS, (5, 7), (5, 6)
    elif seed % 10 == 6:
        layer = random_layer(random, fully_connected(5, 2, 3, 6, images=4))
        taken, left = (4, 5, 2, 3), (4, 6, 1, 1)
    layer = dataclasses.replace(layer, prepared=bool(seed % 2))
    operands, x = random_case(random, layer)
    planned = plan_exactly(layer, lambda: operands, config)
    int8 = np.dtype(np.int8)
    types = TensorType(int8, taken or x.shape), TensorType(int8, left or layer.output_shape)
    step = AcceleratedStep(layer, operands, arrangement, "x", "y", *types, (layer.name,))
    if seed % 10 == 9 and not planned.unfolding:
        repeats = tuple(int(channel) for channel in random.integers(0, layer.shape.channels, layer.shape.channels))
        step = dataclasses.replace(step, repeats=repeats)
    return [input_layout(step, planned), output_layout(step, planned)]


@pytest.mark.parametrize("config", [SQUARE, WIDE], ids=["4x4", "2x3"])
@pytest.mark.parametrize("limit", [None, 9], ids=["whole", "cut"])
def test_tensors_of_random_layers(
    config: AcceleratorConfig, limit: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit is not None:
        monkeypatch.setattr(cutting, "LARGEST_POSITION", limit)
    random = np.random.default_rng(8)
    records: list[TensorRecord] = []
    offset = 1 << 16
    for seed in range(60):
        try:
            found = layouts(config, seed)
        except LayerError:
            continue
        for layout in found:
            kind = ElementType(len(records) // 2 % 2)
            records.append(TensorRecord(f"tensor {len(records)}", kind, 0.5, 0, offset, layout))
            offset += layout.bytes
    tables = Tables(config, [], records)
    file = tables.file(b"", offset)
    assert len(file) < 1 << 16
    memory = np.zeros(offset, np.uint8)
    machine = PlainMachine({int(register): value for register, value in readings(config).items()}, memory)
    driver = CDriver(machine)
    assert (driver.open(), driver.load(file)) == (OK, OK)
    for index, tensor in enumerate(records):
        layout, dtype = tensor.layout, np.dtype(tensor.type.name.lower())
        assert driver.find_tensor(tensor.name) == index
        flip = np.uint8(128 if tensor.type is ElementType.UINT8 else 0)
        values = random.integers(0, 256, layout.elements, np.uint8).view(dtype)
        place = slice(tensor.offset, tensor.offset + layout.bytes)
        memory[place] = 0x55
        assert driver.write_tensor(index, values) == OK
        content = memory[place].copy()
        np.testing.assert_array_equal(content, layout.pack((values.view(np.uint8) ^ flip).view(np.int8)), tensor.name)
        back = np.full(layout.elements, 77, dtype)
        assert driver.read_tensor(index, back) == OK
        # Strides may leave elements out; what is in memory comes back.
        held = layout.unpack(layout.pack(np.ones(layout.elements, np.int8))).astype(bool)
        np.testing.assert_array_equal(back[held], values[held], tensor.name)
        assert (back[~held] == 77).all()
        if index % 2:
            assert held.all()
    assert len(records) > 60


def test_quantising_is_onnx_runtimes() -> None:
    random = np.random.default_rng(3)
    for kind, tensor_type, zero_point in (
        (ElementType.INT8, TensorProto.INT8, -7),
        (ElementType.INT8, TensorProto.INT8, 0),
        (ElementType.UINT8, TensorProto.UINT8, 131),
    ):
        scale = np.float32(0.0375)
        halves = (np.arange(-700, 700) / 2).astype(np.float32) * scale
        x = np.concatenate([halves, random.normal(0, 3, 2000), [1e30, -1e30, 0.0, -0.0]]).astype(np.float32)
        dtype = np.dtype(kind.name.lower())
        graph = helper.make_graph(
            [
                helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
                helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
            ],
            "quantising",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
            [helper.make_tensor_value_info(n, t, x.shape) for n, t in (("q", tensor_type), ("y", TensorProto.FLOAT))],
            [
                onnx.numpy_helper.from_array(scale, "s"),
                onnx.numpy_helper.from_array(np.asarray(zero_point, dtype), "z"),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        judged = compute(open_session(model), {"x": x})
        record = np.zeros(1, TENSOR.dtype)
        record["type"], record["scale"], record["zero_point"] = kind, scale, zero_point
        place = record.ctypes.data
        found = np.array([library().wingrid_quantise(place, float(value)) for value in x], np.uint8)
        np.testing.assert_array_equal(found.view(dtype), judged["q"])
        back = np.array([library().wingrid_dequantise(place, int(value)) for value in found], np.float32)
        np.testing.assert_array_equal(back, judged["y"])


def plain_registers(config: AcceleratorConfig) -> np.ndarray:
    """A page of words that read as the registers of an accelerator that does nothing."""
    words = np.zeros(1024, "<u4")
    for register, value in readings(config).items():
        words[register // 4] = value
    return words


class Bare(ctypes.Structure):
    """``struct wingrid_bare``."""

    _fields_ = [
        ("registers", ctypes.c_void_p),
        ("pauses_per_microsecond", ctypes.c_uint32),
        ("interrupt", ctypes.c_void_p),
        ("unmask", ctypes.c_void_p),
        ("synchronise", ctypes.c_void_p),
        ("pause", ctypes.c_void_p),
    ]


class Uio(ctypes.Structure):
    """``struct wingrid_uio``."""

    _fields_ = [("file", ctypes.c_int), ("registers", ctypes.c_void_p), ("register_bytes", ctypes.c_size_t)]


def one_tensor() -> bytes:
    """An image without programs."""
    (layout, _) = layouts(SQUARE, 0)
    return Tables(SQUARE, [], [TensorRecord("x", ElementType.INT8, 0.5, 0, 1 << 13, layout)]).file(b"", 1 << 14)


def test_access_on_bare_metal() -> None:
    words, memory, image = plain_registers(SQUARE), np.zeros(1 << 14, np.uint8), one_tensor()
    interrupt, calls = ctypes.c_int(0), []
    unmask = ctypes.CFUNCTYPE(None)(lambda: calls.append("unmask"))
    synchronise = ctypes.CFUNCTYPE(None)(lambda: calls.append("synchronise"))
    hooks = [ctypes.cast(hook, ctypes.c_void_p) for hook in (unmask, synchronise)]
    bare = Bare(words.ctypes.data, 3, ctypes.addressof(interrupt), *hooks)
    driver, state = library(), Wingrid()
    access = ctypes.c_char.in_dll(driver, "wingrid_bare_access")
    place = ctypes.c_void_p(memory.ctypes.data)
    arguments = (ctypes.byref(access), ctypes.byref(bare), place, len(memory), ctypes.c_uint64(0))
    assert driver.wingrid_open(ctypes.byref(state), *arguments) == OK
    assert driver.wingrid_load(ctypes.byref(state), image, len(image)) == OK
    assert memory[: len(image)].tobytes() == image
    assert calls == ["synchronise"]
    words[Register.STATUS // 4] = Status.RUNNING
    assert driver.wingrid_wait(ctypes.byref(state), 20) == error("WINGRID_TIMEOUT")
    words[Register.STATUS // 4] = Status.DONE
    assert driver.wingrid_wait(ctypes.byref(state), 20) == error("WINGRID_NO_INTERRUPT")
    interrupt.value = 1
    assert driver.wingrid_wait(ctypes.byref(state), 20) == OK
    assert interrupt.value == 0
    # Before each wait the interrupt is let through; behind a program that has ended, memory is synchronised.
    assert calls == ["synchronise", "unmask", "unmask", "synchronise", "unmask", "synchronise"]
    # With a pause of the platform's own, registers are let alone between two looks at the interrupt.
    pause = ctypes.CFUNCTYPE(None)(lambda: calls.append("pause"))
    bare.pause = ctypes.cast(pause, ctypes.c_void_p)
    calls.clear()
    words[Register.STATUS // 4] = Status.RUNNING
    assert driver.wingrid_wait(ctypes.byref(state), 20) == error("WINGRID_TIMEOUT")
    assert calls == ["unmask", *["pause"] * 60]


def test_access_by_userspace_io_over_files(tmp_path: Path) -> None:
    """Files in place of devices: what is mapped, and that the interrupt's file is written and read."""
    gcc = outside_judge("gcc", "gcc")
    compile_c(gcc, "-O2", "-fPIC", "-shared", "wingrid.c", "wingrid_uio.c", "-o", "uio.so")
    driver = ctypes.CDLL(str(sources() / "uio.so"))
    driver.wingrid_uio_memory.restype = ctypes.c_void_p
    driver.wingrid_uio_memory.argtypes = [ctypes.c_char_p, ctypes.c_uint64, ctypes.c_uint32]
    words, image = plain_registers(SQUARE), one_tensor()
    registers, memory = tmp_path / "uio0", tmp_path / "udmabuf0"
    registers.write_bytes(words.tobytes())
    memory.write_bytes(bytes(1 << 14))
    uio, state = Uio(), Wingrid()
    assert driver.wingrid_uio_open(ctypes.byref(uio), str(tmp_path / "nothing").encode()) == -1
    assert driver.wingrid_uio_open(ctypes.byref(uio), str(registers).encode()) == 0
    place = driver.wingrid_uio_memory(str(memory).encode(), 0, 1 << 14)
    assert driver.wingrid_uio_memory(str(tmp_path / "nothing").encode(), 0, 4096) is None
    access = ctypes.c_char.in_dll(driver, "wingrid_uio_access")
    arguments = (ctypes.byref(access), ctypes.byref(uio), ctypes.c_void_p(place), 1 << 14, ctypes.c_uint64(0))
    assert driver.wingrid_open(ctypes.byref(state), *arguments) == OK
    assert driver.wingrid_load(ctypes.byref(state), image, len(image)) == OK
    assert memory.read_bytes()[: len(image)] == image
    # A plain file is always ready: a wait writes a word of it and reads the next one.
    assert driver.wingrid_wait(ctypes.byref(state), 1000) == error("WINGRID_STOPPED")
    assert os.lseek(uio.file, 0, os.SEEK_CUR) == 8
    assert registers.read_bytes()[:4] == (1).to_bytes(4, "little")
    driver.wingrid_uio_close(ctypes.byref(uio))
