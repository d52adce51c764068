"""The layouts that an image states are those in which the compiler's programs find and leave tensors."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from layer_cases import SQUARE, WIDE, pooled_layer, random_case, random_layer

from wingrid.host.compiler import cutting
from wingrid.host.compiler.compile_layer import PlannedLayer, plan_exactly
from wingrid.host.compiler.layout import pack_activations, unpack_activations
from wingrid.host.images.layer_layouts import input_layout, output_layout
from wingrid.host.networks.layer import Layer, LayerError, Operands, fully_connected, matrix_product
from wingrid.host.onnx_models.graph import IMAGES, ROWS, AcceleratedStep
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.hw.config import AcceleratorConfig

INT8 = np.dtype(np.int8)


def step_for(
    layer: Layer, operands: Operands, taken: tuple[int, ...], left: tuple[int, ...], arrangement: str = IMAGES
) -> AcceleratedStep:
    return AcceleratedStep(
        layer, operands, arrangement, "x", "y", TensorType(INT8, taken), TensorType(INT8, left), (layer.name,)
    )


def in_memory(planned: PlannedLayer, x: np.ndarray) -> np.ndarray:
    """What the run of a single layer puts into memory."""
    zero_point = planned.layer.x_zero_point
    x = planned.unfolding.pixels(x, zero_point) if planned.unfolding else x
    x = planned.cutting.pixels(x, zero_point) if planned.cutting else x
    return pack_activations(x, planned.config, zero_point)


def from_memory(planned: PlannedLayer, content: np.ndarray) -> np.ndarray:
    """What the run of a single layer makes of memory."""
    y = unpack_activations(content, planned.plan.blocking.output_shape, planned.config)
    return planned.cutting.joined(y) if planned.cutting else y


@pytest.mark.slow
@pytest.mark.parametrize("config", [SQUARE, WIDE], ids=["4x4", "2x3"])
@pytest.mark.parametrize("limit", [None, 9], ids=["whole", "cut"])
def test_inputs_and_outputs_of_random_layers(
    config: AcceleratorConfig, limit: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit is not None:
        monkeypatch.setattr(cutting, "LARGEST_POSITION", limit)
    seen = {"unfolded": 0, "cut": 0}
    for seed in range(120):
        random = np.random.default_rng([seed, 12])
        layer = pooled_layer(random) if seed % 4 == 0 else random_layer(random)
        layer = dataclasses.replace(layer, prepared=bool(seed % 2))
        operands, x = random_case(random, layer)
        try:
            planned = plan_exactly(layer, lambda operands=operands: operands, config)
        except LayerError:
            continue
        step = step_for(layer, operands, x.shape, layer.output_shape)
        taken, left = input_layout(step, planned), output_layout(step, planned)
        found, expected = taken.pack(x), in_memory(planned, x)
        if planned.unfolding and planned.cutting:
            # Beyond the last section's outputs, what is computed and dropped may come from other pixels.
            assert found.shape == expected.shape
        else:
            np.testing.assert_array_equal(found, expected, f"seed {seed}: {layer}")
        content = random.integers(0, 256, left.bytes, np.uint8)
        y = from_memory(planned, content)
        np.testing.assert_array_equal(left.unpack(content).reshape(y.shape), y, f"seed {seed}: {layer}")
        seen["unfolded"] += planned.unfolding is not None
        seen["cut"] += planned.cutting is not None
    assert seen["unfolded"] > 5
    assert (seen["cut"] > 10) == (limit is not None)


def test_rows_of_a_matrix_are_pixels() -> None:
    random = np.random.default_rng(3)
    layer = Layer("product", "matmul", matrix_product(5, 7, 6), 3)
    operands = Operands(random.integers(-9, 9, (6, 7, 1, 1), np.int8), np.zeros(6, np.int32), np.ones(6, np.float32))
    planned = plan_exactly(layer, lambda: operands, SQUARE)
    step = step_for(layer, operands, (5, 7), (5, 6), ROWS)
    x = random.integers(-128, 128, (5, 7), np.int8)
    np.testing.assert_array_equal(input_layout(step, planned).pack(x), in_memory(planned, step.layer_input(x)))
    left = output_layout(step, planned)
    content = random.integers(0, 256, left.bytes, np.uint8)
    np.testing.assert_array_equal(left.unpack(content).reshape(5, 6), step.model_output(from_memory(planned, content)))


def test_images_of_a_batch_stand_below_each_other_for_a_fully_connected_layer() -> None:
    random = np.random.default_rng(4)
    layer = Layer("fc", "fc", fully_connected(5, 2, 3, 6, images=4), 3)
    operands = Operands(random.integers(-9, 9, (6, 5, 2, 3), np.int8), np.zeros(6, np.int32), np.ones(6, np.float32))
    planned = plan_exactly(layer, lambda: operands, SQUARE)
    step = step_for(layer, operands, (4, 5, 2, 3), (4, 6, 1, 1))
    x = random.integers(-128, 128, (4, 5, 2, 3), np.int8)
    tall = x.transpose(1, 0, 2, 3).reshape(1, 5, 8, 3)
    np.testing.assert_array_equal(input_layout(step, planned).pack(x), in_memory(planned, tall))
    left = output_layout(step, planned)
    content = random.integers(0, 256, left.bytes, np.uint8)
    by_image = from_memory(planned, content)[0].transpose(1, 0, 2)[..., None]
    np.testing.assert_array_equal(left.unpack(content).reshape(4, 6, 1, 1), by_image)


def test_channels_that_the_host_repeats() -> None:
    random = np.random.default_rng(6)
    layer = Layer("repeated", "conv", matrix_product(1, 3, 2), 1, prepared=True)
    operands = Operands(random.integers(-9, 9, (2, 3, 1, 1), np.int8), np.zeros(2, np.int32), np.ones(2, np.float32))
    planned = plan_exactly(layer, lambda: operands, SQUARE)
    step = dataclasses.replace(step_for(layer, operands, (1, 2, 1, 1), (1, 2, 1, 1)), repeats=(0, 1, 1))
    x = np.array([[[[7]], [[-8]]]], np.int8)
    np.testing.assert_array_equal(input_layout(step, planned).pack(x).view(np.int8)[:4], [7, -8, -8, 1])
