"""The C driver's tensors and real numbers, without a machine: against the layouts' own account, and ONNX Runtime."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
from c_driver import CDriver, PlainMachine, library
from layer_cases import SQUARE, WIDE, pooled_layer, random_case, random_layer
from onnx import TensorProto, helper

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
from wingrid.hw.registers import readings

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
