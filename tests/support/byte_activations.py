"""Quantised layers with functions of each byte behind them, between quantisers of random scales and zero points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from quantised_operators import TYPES

OPSET = 20
"""From 21 on, ONNX Runtime 1.32 has no precise kernel for QLinearMatMul on x86 processors without VNNI."""

CHANNELS, KERNELS, SIDE = 3, 6, 24


@dataclass
class ByteWriter:
    """A quantised model as it is written: ``tensor`` is the float tensor that the next node takes.

    Quantisers leave the types in ``dtypes`` in turn.
    """

    random: np.random.Generator
    dtypes: tuple[type[np.integer], ...]
    shape: tuple[int, ...] = ()
    """Of the layer's output."""
    channel_axis: int = 1
    tensor: str = "x"
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    quantisers: int = 0
    opset: int = OPSET

    def constant(self, values: object, dtype: type = np.float32) -> str:
        name = f"constant{len(self.constants)}"
        self.constants[name] = np.asarray(values, dtype)
        return name

    def per_channel(self, low: float, high: float) -> str:
        """A constant with one number for each channel, in a shape that broadcasts."""
        channels = self.shape[self.channel_axis]
        shape = (channels, *[1] * (len(self.shape) - self.channel_axis - 1))
        return self.constant(self.random.uniform(low, high, shape))

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: object) -> str:
        """A node, of the inputs named or of ``tensor``."""
        name = f"{operator.lower()}{len(self.nodes)}"
        taken = list(inputs) or [self.tensor]
        self.nodes.append(helper.make_node(operator, taken, [f"{name}_out"], name=name, domain=domain, **attributes))
        self.tensor = f"{name}_out"
        return self.tensor

    def quantised(self, scale: float | None = None, zero_point: int | None = None) -> str:
        """The tensor in bytes and back, at a random scale and zero point if none are given."""
        dtype = self.dtypes[self.quantisers % len(self.dtypes)]
        self.quantisers += 1
        limits = np.iinfo(dtype)
        zero = int(self.random.integers(limits.min + 48, limits.max - 47)) if zero_point is None else zero_point
        step = float(np.exp(self.random.uniform(np.log(0.01), np.log(0.06)))) if scale is None else scale
        pair = self.constant(step), self.constant(zero, dtype)
        return self.add("DequantizeLinear", self.add("QuantizeLinear", self.tensor, *pair), *pair)

    def layer(self, operator: str, **pads: object) -> None:
        """``Conv``, ``Gemm`` or ``MatMul`` of the tensor, whose results nearly fill the bytes that it leaves."""
        random = self.random
        weights = random.integers(-127, 128, (KERNELS, CHANNELS, 1, 1), np.int8)
        if operator != "Conv":
            weights = weights.reshape(KERNELS, CHANNELS).T
        pair = self.constant(0.01), self.constant(0, np.int8)
        inputs = [self.tensor, self.add("DequantizeLinear", self.constant(weights, np.int8), *pair)]
        if operator == "Gemm":
            bias = self.constant(random.integers(-9000, 9000, KERNELS), np.int32)
            inputs.append(self.add("DequantizeLinear", bias, self.constant(np.float32(0.02) * np.float32(0.01))))
        self.add(operator, *inputs, **pads)
        self.quantised(float(random.uniform(0.02, 0.05)), int(self.random.integers(-30, 30)) + self._middle())

    def _middle(self) -> int:
        return 128 if self.dtypes[self.quantisers % len(self.dtypes)] == np.uint8 else 0

    def model(self, kind: type[np.integer], shape: tuple[int, ...], outputs: tuple[str, ...] = ()) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "function of bytes",
            [helper.make_tensor_value_info("x", TYPES[np.dtype(kind)], shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in (self.tensor, *outputs)],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def behind_a_layer(
    seed: int,
    function: Callable[[ByteWriter], object],
    operator: str = "Conv",
    dtypes: tuple[type[np.integer], ...] = (np.uint8,),
) -> tuple[onnx.ModelProto, np.ndarray]:
    """A layer with what ``function`` writes behind it, and an input of random bytes."""
    random = np.random.default_rng(seed)
    writer = ByteWriter(random, dtypes)
    shape = (2, CHANNELS, SIDE, SIDE - 1) if operator == "Conv" else (2, 401, CHANNELS)[operator == "Gemm" :]
    writer.shape = (2, KERNELS, SIDE, SIDE - 1) if operator == "Conv" else (*shape[:-1], KERNELS)
    writer.channel_axis = 1 if operator == "Conv" else len(shape) - 1
    pair = writer.constant(0.02), writer.constant(np.iinfo(dtypes[0]).max - 130, dtypes[0])
    writer.add("DequantizeLinear", "x", *pair)
    writer.layer(operator)
    function(writer)
    limits = np.iinfo(dtypes[0])
    return writer.model(dtypes[0], shape), random.integers(limits.min, limits.max + 1, shape, dtypes[0])


def silu(writer: ByteWriter) -> None:
    """x * sigmoid(x), each of the two in bytes."""
    x = writer.tensor
    writer.add("Sigmoid")
    writer.quantised(1 / 256, np.iinfo(writer.dtypes[writer.quantisers % len(writer.dtypes)]).min)
    writer.add("Mul", x, writer.tensor)
    writer.quantised()


def hard_swish(writer: ByteWriter) -> None:
    """As PaddlePaddle writes it: x * clip(x + 3, 0, 6) / 6, all of it in bytes."""
    x = writer.tensor
    writer.add("Add", x, writer.constant(3))
    writer.quantised(0.04)
    writer.add("Clip", writer.tensor, writer.constant(0), writer.constant(6))
    writer.quantised(6 / 255, np.iinfo(writer.dtypes[writer.quantisers % len(writer.dtypes)]).min)
    writer.add("Mul", x, writer.tensor)
    writer.quantised(0.1)
    writer.add("Div", writer.tensor, writer.constant(6))
    writer.quantised()


def chain(writer: ByteWriter) -> None:
    """Several, the last of which has constants per channel."""
    silu(writer)
    writer.add("LeakyRelu", alpha=0.1)
    writer.quantised()
    writer.add("Mul", writer.per_channel(0.5, 1.5), writer.tensor)
    writer.quantised()
    writer.add("Tanh")
    writer.quantised()


def swish(writer: ByteWriter) -> None:
    """The operator of opset 24, in which ONNX Runtime leaves a constant that has to be brought to a type first."""
    writer.opset = 24
    writer.add("Swish", alpha=1.3)
    writer.quantised()


def where(writer: ByteWriter) -> None:
    """Another number in place of all above a threshold."""
    x = writer.tensor
    above = writer.add("Greater", x, writer.constant(0.4))
    writer.add("Where", above, writer.constant(-0.2), x)
    writer.quantised()


def batch_normalisation(writer: ByteWriter) -> None:
    """An affine map that no layer has taken over."""
    channels = writer.shape[writer.channel_axis]
    vectors = [writer.constant(writer.random.uniform(0.2, 1.5, channels)) for _ in range(4)]
    writer.add("BatchNormalization", writer.tensor, *vectors)
    writer.quantised()


def quantised_by_channel(writer: ByteWriter) -> None:
    """Bytes with a scale and a zero point for each channel in between."""
    channels, axis = writer.shape[writer.channel_axis], writer.channel_axis
    pair = (
        writer.constant(writer.random.uniform(0.02, 0.06, channels)),
        writer.constant(writer.random.integers(90, 160, channels), np.uint8),
    )
    writer.add("QuantizeLinear", writer.tensor, *pair, axis=axis)
    writer.add("DequantizeLinear", writer.tensor, *pair, axis=axis)
    writer.add("Atan")
    writer.quantised()


def with_quantised_slope(writer: ByteWriter) -> None:
    """PRelu whose slopes are bytes too."""
    slopes = writer.constant(writer.random.integers(0, 255, (writer.shape[1], 1, 1)), np.uint8)
    x = writer.tensor
    slope = writer.add("DequantizeLinear", slopes, writer.constant(0.004), writer.constant(100, np.uint8))
    writer.add("PRelu", x, slope)
    writer.quantised()


def one(operator: str, *others: object, domain: str = "", **attributes: object) -> Callable[[ByteWriter], None]:
    """A function of one node, whose further inputs are these numbers."""

    def function(writer: ByteWriter) -> None:
        further = [writer.constant(value) for value in others]
        writer.add(operator, writer.tensor, *further, domain=domain, **attributes)
        writer.quantised()

    return function


def with_constant(operator: str, low: float, high: float, *, first: bool, channels: bool) -> Callable:
    """A function of the tensor and a constant, whichever of them comes first."""

    def function(writer: ByteWriter) -> None:
        x = writer.tensor
        value = writer.per_channel(low, high) if channels else writer.constant(writer.random.uniform(low, high))
        writer.add(operator, *((value, x) if first else (x, value)))
        writer.quantised()

    return function


_PLAIN = """
    Abs Atan Asinh Ceil Celu Cos Elu Erf Exp Floor Gelu HardSigmoid HardSwish LeakyRelu Mish Neg Relu Round Selu
    Sigmoid Sign Sin Sinh Softplus Softsign Tanh ThresholdedRelu
"""

UNARY: Mapping[str, Callable[[ByteWriter], None]] = {
    **{name: one(name) for name in _PLAIN.split()},
    "Clip": one("Clip", -0.7, 1.3),
    "FastGelu": one("FastGelu", domain="com.microsoft"),
    "Gelu by tanh": one("Gelu", approximate="tanh"),
    "QuickGelu": one("QuickGelu", domain="com.microsoft", alpha=1.7),
    "Shrink": one("Shrink", lambd=0.5, bias=0.2),
}
