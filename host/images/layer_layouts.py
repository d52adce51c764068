"""How a planned layer's input and output lie in memory, seen from the network's tensors."""

from __future__ import annotations

import math
from typing import Any

from wingrid.host.compiler.compile_layer import PlannedLayer, shapes_in_memory
from wingrid.host.images.tensor_layout import TensorLayout, dense, host_view
from wingrid.host.onnx_models.graph import ROWS, AcceleratedStep
from wingrid.host.onnx_models.shapes import TensorType


def input_layout(step: AcceleratedStep, planned: PlannedLayer) -> TensorLayout:
    """What the host has to write, or a layer before to leave."""
    shape, unfolding, cutting = planned.layer.shape, planned.unfolding, planned.cutting
    size, memory = (shape.height, shape.width), shapes_in_memory(planned)[0]
    top, left = (cutting.shape if cutting and not unfolding else shape).padding[:2] if unfolding or cutting else (0, 0)
    sections = cutting.sections if cutting else (1, 1)
    steps = (
        [
            count * stride * (cutting.pool.stride if cutting.pool else 1)
            for count, stride in zip(cutting.outputs, cutting.shape.stride, strict=True)
        ]
        if cutting
        else [0, 0]
    )
    return TensorLayout(
        **_host(step, step.source_type.shape, shape.images, size),
        **_memory(memory, planned.config.rows, planned.config.bus_bytes),
        layer_channels=shape.channels,
        groups=shape.groups if unfolding else 1,
        **_pair("taps", unfolding.taps if unfolding else (1, 1)),
        **_pair("stride", shape.stride if unfolding else (1, 1)),
        **_pair("dilation", shape.dilation if unfolding else (1, 1)),
        top=top,
        left=left,
        **_pair("sections", sections),
        **_pair("section", steps),
        tall=int(_is_tall(step, step.source_type.shape, shape.images)),
        fill=planned.layer.x_zero_point,
        channel_map=step.repeats or (),
    )


def output_layout(step: AcceleratedStep, planned: PlannedLayer) -> TensorLayout:
    """What the layer leaves; where it leaves a part of a tensor, the whole of it."""
    images, channels, *size = planned.layer.output_shape
    cutting, left = planned.cutting, shapes_in_memory(planned)[1]
    if step.part:
        _, channels, *size = step.target_type.shape
        size = [1, *size][-2:]
        left = (left[0], channels, size[0], size[1])
    return TensorLayout(
        **_host(step, step.target_type.shape, images, (size[0], size[1])),
        **_memory(left, planned.config.cols, planned.config.bus_bytes),
        layer_channels=channels,
        groups=1,
        **_pair("taps", (1, 1)),
        **_pair("stride", (1, 1)),
        **_pair("dilation", (1, 1)),
        top=0,
        left=0,
        **_pair("sections", cutting.sections if cutting else (1, 1)),
        **_pair("section", cutting.outputs if cutting else (0, 0)),
        tall=int(_is_tall(step, step.target_type.shape, images)),
        fill=0,
    )


def addend_layout(step: AcceleratedStep, planned: PlannedLayer, addend: TensorType) -> TensorLayout:
    """What the host has to write, or a layer before to leave, for the layer to add it."""
    images, channels, *size = planned.layer.addend_shape
    return TensorLayout(
        **_host(step, addend.shape, images, (size[0], size[1])),
        **_memory(planned.layer.addend_shape, planned.config.cols, planned.config.bus_bytes),
        layer_channels=channels,
        groups=1,
        **_pair("taps", (1, 1)),
        **_pair("stride", (1, 1)),
        **_pair("dilation", (1, 1)),
        top=0,
        left=0,
        **_pair("sections", (1, 1)),
        **_pair("section", (0, 0)),
        tall=int(_is_tall(step, addend.shape, images)),
        fill=0,
    )


def output_offset(step: AcceleratedStep, planned: PlannedLayer) -> int:
    """Bytes from the start of the tensor to what the layer leaves of it."""
    if step.part is None:
        return 0
    config, (height, width) = planned.config, (1, *step.target_type.shape[2:])[-2:]
    block = step.part.channel // config.cols
    return ((block * height + step.part.row) * width + step.part.column) * config.bus_bytes


def _host(step: AcceleratedStep, tensor: tuple[int, ...], images: int, size: tuple[int, int]) -> dict[str, Any]:
    if step.arrangement == ROWS:
        channels, (height, width) = tensor[-1], size
        strides = (0, 1, width * channels, channels)
        return host_view((1, channels, height, width), strides, math.prod(tensor))
    height = size[0] * images // tensor[0]
    return dense((tensor[0], tensor[1], height, size[1]))


def _is_tall(step: AcceleratedStep, tensor: tuple[int, ...], images: int) -> bool:
    return step.arrangement != ROWS and tensor[0] != images


def _memory(shape: tuple[int, int, int, int], lanes: int, beat_bytes: int) -> dict[str, Any]:
    images, channels, rows, columns = shape
    return {
        "memory_images": images,
        "memory_blocks": math.ceil(channels / lanes),
        "memory_rows": rows,
        "memory_columns": columns,
        "lanes": lanes,
        "beat_bytes": beat_bytes,
        "memory_channels": channels,
    }


def _pair(name: str, values: Any) -> dict[str, Any]:  # noqa: ANN401 (a pair or a list of two)
    return {f"{name}_y": values[0], f"{name}_x": values[1]}
