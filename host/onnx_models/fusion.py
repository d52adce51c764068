"""What follows a layer and becomes part of it: max pooling, and activations that amount to a clamp."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.compiler.algorithms import require_way
from wingrid.host.networks.layer import LayerError, Pool
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep, signed
from wingrid.host.onnx_models.nodes import Consumers, attributes_of, padding_of
from wingrid.host.onnx_models.session import run_nodes
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.hw.config import AcceleratorConfig

CLAMPS = ("Relu", "Clip")
"""Operators between DequantizeLinear and QuantizeLinear that may do no more than clamp."""


def extended(
    step: AcceleratedStep,
    consumers: Consumers,
    constants: Mapping[str, npt.NDArray],
    types: Mapping[str, TensorType],
    model: onnx.ModelProto,
    config: AcceleratorConfig,
) -> AcceleratedStep:
    """The layer with all that it can take over of what follows it."""
    while True:
        longer = _pooled(step, consumers, types, config) or _clamped(step, consumers, constants, types, model)
        if longer is None:
            return step
        step = longer


def _pooled(
    step: AcceleratedStep, consumers: Consumers, types: Mapping[str, TensorType], config: AcceleratorConfig
) -> AcceleratedStep | None:
    """With the max pooling behind it, if there is one that the accelerator does on its way out."""
    node = consumers.only(step.target)
    if node is None or node.op_type != "MaxPool" or node.domain not in ("", "ai.onnx") or step.layer.pool:
        return None
    attributes, sizes = attributes_of(node), step.target_type.shape[2:]
    if step.arrangement != IMAGES or len(sizes) != 2 or len([name for name in node.output if name]) != 1:
        return None
    kernel = attributes["kernel_shape"]
    strides, dilations = (attributes.get(name, [1, 1]) for name in ("strides", "dilations"))
    padding = padding_of(attributes, sizes, kernel, strides, dilations)
    if kernel[0] != kernel[1] or strides[0] != strides[1] or any(padding) or list(dilations) != [1, 1]:
        return None
    left = types[node.output[0]]
    try:
        layer = dataclasses.replace(step.layer, pool=Pool(kernel[0], strides[0]))
        require_way(layer, config)
    except LayerError:
        return None
    if layer.output_shape != left.shape:  # with ceil_mode, windows overhang
        return None
    return dataclasses.replace(
        step, layer=layer, target=node.output[0], target_type=left, nodes=(*step.nodes, node.name)
    )


def _clamped(
    step: AcceleratedStep,
    consumers: Consumers,
    constants: Mapping[str, npt.NDArray],
    types: Mapping[str, TensorType],
    model: onnx.ModelProto,
) -> AcceleratedStep | None:
    """With the activation behind it, if it maps each of the 256 values as a clamp does."""
    chain: list[onnx.NodeProto] = []
    tensor = step.target
    for allowed in (("DequantizeLinear",), CLAMPS, ("QuantizeLinear",)):
        node = consumers.only(tensor)
        if node is None or node.op_type not in allowed or node.input[0] != tensor:
            return None
        if any(name and (name not in constants or constants[name].size != 1) for name in node.input[1:]):
            return None
        chain.append(node)
        tensor = node.output[0]
    left = types[tensor]
    if left.dtype != step.target_type.dtype:
        return None
    codes = np.arange(256, dtype=np.uint8).view(left.dtype)
    images = signed(run_nodes(chain, {step.target: codes}, constants, [tensor], model)[tensor])
    codes = signed(codes)
    low, high = int(images.min()), int(images.max())
    if not np.array_equal(images, np.clip(codes, low, high)):
        return None
    layer = dataclasses.replace(
        step.layer,
        minimum=int(np.clip(step.layer.minimum, low, high)),
        maximum=int(np.clip(step.layer.maximum, low, high)),
    )
    names = (*step.nodes, *(node.name for node in chain))
    return dataclasses.replace(step, layer=layer, target=tensor, target_type=left, nodes=names)
