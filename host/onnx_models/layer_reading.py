"""Quantised convolutions and matrix products as layers of the accelerator.

They are ONNX's QLinearConv and QLinearMatMul, and ONNX Runtime's QGemm. All three requantise by
float32(x_scale * w_scale) / y_scale, the accelerator's own rule.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.compiler.layout import check_sums
from wingrid.host.networks.layer import Convolution, Layer, LayerError, Operands, matrix_product
from wingrid.host.onnx_models.average_pooling import average_pooling, reduced_mean
from wingrid.host.onnx_models.channel_splitting import SplitWeights
from wingrid.host.onnx_models.dead_taps import without_dead_taps
from wingrid.host.onnx_models.graph import IMAGES, ROWS, AcceleratedStep, signed
from wingrid.host.onnx_models.interpolation import interpolation, is_interpolation
from wingrid.host.onnx_models.max_pooling import max_pooling
from wingrid.host.onnx_models.nodes import attributes_of, padding_of
from wingrid.host.onnx_models.pooling_windows import AVERAGES, is_pooling
from wingrid.host.onnx_models.refusal import NotAccelerable
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.host.onnx_models.tensors import ACTIVATIONS, centred_weights
from wingrid.host.onnx_models.transposed_convolutions import OPERATOR as TRANSPOSED
from wingrid.host.onnx_models.transposed_convolutions import transposed_convolution
from wingrid.sim.golden.requantise import requantise_scale

FLOATING = ("Conv", "ConvTranspose", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul")
"""Operators that would have a quantised form if ONNX Runtime had found all of their tensors quantised to 8 bits."""

IN_FLOAT = "ONNX Runtime computes it in floating point"
NO_LAYER = "no convolution and no product with constant weights"
"""Why most nodes are the host's."""


def read_layers(
    node: onnx.NodeProto,
    constants: Mapping[str, npt.NDArray],
    types: Mapping[str, TensorType],
    model: onnx.ModelProto,
    makers: Mapping[str, AcceleratedStep],
) -> list[AcceleratedStep]:
    """The node, one of ``model``, as a layer, or as layers that leave a part of its output each.

    ``makers`` are the layers before it by the tensor that each leaves. Raises ``NotAccelerable``.
    """
    try:
        if node.op_type == "QLinearConv" and node.domain in ("", "ai.onnx"):
            return [_convolution(node, constants, types)]
        if node.op_type == "QLinearMatMul":
            return [_matrix_product(node, constants, types)]
        if node.op_type == "QGemm":
            return [_fully_connected(node, constants, types)]
        if node.op_type == TRANSPOSED and node.domain in ("", "ai.onnx"):
            return transposed_convolution(node, constants, types, model)
        if node.op_type == "ReduceMean":
            return [_required(reduced_mean(node, constants, types, model), makers)]
        if is_interpolation(node):
            return interpolation(node, constants, types, model, makers)
        if is_pooling(node):
            if node.input[0] not in makers:
                # It would cross to the array for less work than that is.
                raise NotAccelerable("pooling of what the host has is the host's")
            if node.op_type in AVERAGES:
                return average_pooling(node, constants, types, model)
            return max_pooling(node, types, makers[node.input[0]])
    except (LayerError, ValueError) as error:
        raise NotAccelerable(str(error)) from None
    if node.op_type in FLOATING:
        raise NotAccelerable(IN_FLOAT)
    raise NotAccelerable(NO_LAYER)


def _required(step: AcceleratedStep, makers: Mapping[str, AcceleratedStep]) -> AcceleratedStep:
    """The step. Raises ``NotAccelerable`` if what it takes is no layer's: it would cross for less work than that is."""
    if step.source not in makers:
        raise NotAccelerable("a mean of what the host has is the host's")
    return step


def _convolution(
    node: onnx.NodeProto, constants: Mapping[str, npt.NDArray], types: Mapping[str, TensorType]
) -> AcceleratedStep:
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero = node.input[:8]
    bias = node.input[8] if len(node.input) > 8 else ""
    taken, left = types[x], types[node.output[0]]
    raw = _constant(constants, w, "weights")
    axes = raw.ndim - 2
    if axes not in (1, 2):
        raise NotAccelerable(f"convolutions over {axes} axes are not the accelerator's")
    attributes = attributes_of(node)
    kernel = list(raw.shape[2:])
    strides, dilations = (list(attributes.get(name, [1] * axes)) for name in ("strides", "dilations"))
    pads = padding_of(attributes, taken.shape[2:], kernel, strides, dilations)
    sizes = list(taken.shape[2:])
    if axes == 1:  # a line is an image of one row
        kernel, strides, dilations, sizes = [1, *kernel], [1, *strides], [1, *dilations], [1, *sizes]
        pads = [0, pads[0], 0, pads[1]]
        raw = raw[:, :, None]
    shape = Convolution(
        taken.shape[1],
        sizes[0],
        sizes[1],
        len(raw),
        kernel=(kernel[0], kernel[1]),
        stride=(strides[0], strides[1]),
        padding=(pads[0], pads[1], pads[2], pads[3]),
        dilation=(dilations[0], dilations[1]),
        groups=attributes.get("group", 1),
        images=taken.shape[0],
    )
    if raw.shape[1] * shape.groups != shape.channels:
        raise NotAccelerable(f"weights of shape {list(raw.shape)} do not fit {shape.channels} channels")
    scales = (x_scale, w_scale, y_scale)
    met, raw = without_dead_taps(shape, raw)
    step = _step(node, "conv", met, raw, w_zero, bias, scales, (x_zero, y_zero), IMAGES, (taken, left), constants)
    more = math.prod(shape.kernel) / math.prod(met.kernel)
    return step if met == shape else dataclasses.replace(step, model_macs=round(step.macs * more))


def _matrix_product(
    node: onnx.NodeProto, constants: Mapping[str, npt.NDArray], types: Mapping[str, TensorType]
) -> AcceleratedStep:
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = node.input
    weights = _constant(constants, b, "the right factor")
    if weights.ndim != 2 or not types[a].shape:
        raise NotAccelerable(f"the right factor has the shape {list(weights.shape)}, and is no matrix")
    taken, left = types[a], types[node.output[0]]
    shape = _product_shape(taken, weights.T)
    scales = (a_scale, b_scale, y_scale)
    raw = weights.T[..., None, None]
    return _step(node, "matmul", shape, raw, b_zero, "", scales, (a_zero, y_zero), ROWS, (taken, left), constants)


def _fully_connected(
    node: onnx.NodeProto, constants: Mapping[str, npt.NDArray], types: Mapping[str, TensorType]
) -> AcceleratedStep:
    inputs = [*node.input, *[""] * (9 - len(node.input))]
    a, a_scale, a_zero, b, b_scale, b_zero, bias, y_scale, y_zero = inputs
    attributes = attributes_of(node)
    if not y_scale or not y_zero:
        raise NotAccelerable("it leaves float32, and the accelerator int8")
    if attributes.get("transA", 0) or attributes.get("alpha", 1.0) != 1.0:
        raise NotAccelerable("a product with a transposed left factor or an alpha is not the accelerator's")
    weights = _constant(constants, b, "the right factor")
    if not attributes.get("transB", 0):
        weights = weights.T
    taken, left = types[a], types[node.output[0]]
    shape = _product_shape(taken, weights)
    scales = (a_scale, b_scale, y_scale)
    raw = weights[..., None, None]
    return _step(node, "fc", shape, raw, b_zero, bias, scales, (a_zero, y_zero), ROWS, (taken, left), constants)


def _product_shape(taken: TensorType, weights: npt.NDArray) -> Convolution:
    rows = int(np.prod(taken.shape[:-1], dtype=np.int64))
    if taken.shape[-1] != weights.shape[1]:
        raise NotAccelerable(f"factors {list(taken.shape)} and {list(weights.T.shape)} do not fit together")
    return matrix_product(rows, weights.shape[1], weights.shape[0])


def _step(
    node: onnx.NodeProto,
    operator: str,
    shape: Convolution,
    raw: npt.NDArray,
    weight_zero: str,
    bias: str,
    scales: tuple[str, str, str],
    zeros: tuple[str, str],
    arrangement: str,
    tensors: tuple[TensorType, TensorType],
    constants: Mapping[str, npt.NDArray],
) -> AcceleratedStep:
    """The layer with its operands, from the names of its constants."""
    taken, left = tensors
    if taken.dtype not in ACTIVATIONS or left.dtype not in ACTIVATIONS:
        raise NotAccelerable(f"activations of type {taken.dtype} and {left.dtype}: the accelerator's have 8 bits")
    x_zero, y_zero = (_scalar(constants, name, "a zero point") for name in zeros)
    x_scale, w_scale, y_scale = (_constant(constants, name, "a scale").astype(np.float32) for name in scales)
    if x_scale.size != 1 or y_scale.size != 1 or w_scale.size not in (1, shape.kernels):
        raise NotAccelerable("scales other than one for each tensor, or for each output channel of the weights")
    split = SplitWeights.of(centred_weights(raw, _constant(constants, weight_zero, "a zero point")), shape.groups)
    repeats = split.channels if len(split.channels) > shape.channels else None
    shape = dataclasses.replace(shape, channels=len(split.channels))
    layer = Layer(node.name, operator, shape, int(signed(x_zero)), int(signed(y_zero)), prepared=repeats is not None)
    scale = requantise_scale(x_scale.reshape(()), w_scale.reshape(-1), y_scale.reshape(()))
    operands = Operands(
        np.ascontiguousarray(split.weights),
        _bias(constants, bias, shape.kernels),
        np.ascontiguousarray(np.broadcast_to(scale, (shape.kernels,))),
    )
    check_sums(layer, operands)
    return AcceleratedStep(
        layer,
        operands,
        arrangement,
        node.input[0],
        node.output[0],
        taken,
        left,
        (node.name,),
        repeats,
        float(x_scale.reshape(())),
        float(y_scale.reshape(())),
    )


def _bias(constants: Mapping[str, npt.NDArray], name: str, kernels: int) -> npt.NDArray[np.int32]:
    if not name:
        return np.zeros(kernels, np.int32)
    bias = _constant(constants, name, "the bias")
    if bias.dtype != np.int32 or bias.shape[-1:] != (kernels,) or bias.size != kernels:
        raise NotAccelerable(f"a bias of type {bias.dtype} and shape {list(bias.shape)}, not int32 [{kernels}]")
    return bias.reshape(kernels)


def _scalar(constants: Mapping[str, npt.NDArray], name: str, what: str) -> npt.NDArray:
    value = _constant(constants, name, what)
    if value.size != 1:
        raise NotAccelerable(f"{what} that is not one number")
    return value.reshape(())


def _constant(constants: Mapping[str, npt.NDArray], name: str, what: str) -> npt.NDArray:
    if name not in constants:
        raise NotAccelerable(f"{what} ({name or 'left out'}) is no constant")
    return constants[name]
