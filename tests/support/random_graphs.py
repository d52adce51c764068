"""Random small networks, chains and residual blocks, quantised by ONNX Runtime's quantiser in each of its forms."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

FORMS = {
    "qdq-u8s8-channel": (QuantFormat.QDQ, QuantType.QUInt8, QuantType.QInt8, True, False),
    "qdq-s8s8-channel": (QuantFormat.QDQ, QuantType.QInt8, QuantType.QInt8, True, False),
    "qdq-u8u8-tensor": (QuantFormat.QDQ, QuantType.QUInt8, QuantType.QUInt8, False, False),
    "qdq-s8s8-tensor-symmetric": (QuantFormat.QDQ, QuantType.QInt8, QuantType.QInt8, False, True),
    "qoperator-u8s8-channel": (QuantFormat.QOperator, QuantType.QUInt8, QuantType.QInt8, True, False),
    "qoperator-s8s8-tensor": (QuantFormat.QOperator, QuantType.QInt8, QuantType.QInt8, False, False),
}
"""Format, types of activations and weights, whether scales are per channel, whether activations have no zero point."""

FUNCTIONS = ("SiLU", "HardSwish", "HardSigmoid", "Tanh", "Softsign", "Elu", "LeakyRelu", "PRelu", "affine", "scaled")
"""What may follow a layer and is a function of each byte, but no clamp."""


@dataclass
class GraphWriter:
    """Nodes and weights of a float network as they are added, and the tensor that the next node takes."""

    random: np.random.Generator
    channels: int
    size: int
    tensor: str = "x"
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, operator: str, *inputs: str, **attributes: object) -> str:
        name = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [f"{name}_out"], name=name, **attributes))
        self.tensor = f"{name}_out"
        return self.tensor

    def constant(self, values: np.ndarray) -> str:
        name = f"constant{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def convolution(self, source: str, kernels: int, *, plain: bool = False) -> str:
        """A random convolution; ``plain`` ones keep the size."""
        random = self.random
        kernel = int(random.choice([1, 3] if plain else [1, 2, 3, 3, 5]))
        attributes: dict[str, object] = {}
        divisors = [d for d in range(2, self.channels + 1) if not self.channels % d and not kernels % d]
        groups = int(random.choice(divisors)) if divisors and random.random() < 0.3 else 1
        stride, dilation = 1, 1
        if plain:
            attributes["pads"] = [kernel // 2] * 4
        elif random.random() < 0.25 and self.size > 4:
            stride = int(random.integers(1, 3))
            attributes["auto_pad"] = str(random.choice(["SAME_UPPER", "SAME_LOWER"]))
        elif self.size > 6:
            stride, dilation = int(random.integers(1, 3)), int(random.choice([1, 1, 2]))
            if dilation * (kernel - 1) >= self.size:
                dilation = 1
            first, second = (int(pad) for pad in random.integers(0, 2, 2))
            attributes["pads"] = [first, second, second, first]  # uneven, and the image stays square
        else:
            attributes["pads"] = [kernel // 2] * 4
        fan_in = self.channels // groups * kernel * kernel
        w = self.constant(random.normal(0, np.sqrt(2 / fan_in), (kernels, self.channels // groups, kernel, kernel)))
        bias = [self.constant(random.normal(0, 0.3, kernels))] if random.random() < 0.8 else []
        self.add("Conv", source, w, *bias, group=groups, strides=[stride] * 2, dilations=[dilation] * 2, **attributes)
        if "auto_pad" in attributes:
            self.size = -(-self.size // stride)
        else:
            pads = attributes["pads"]
            self.size = (self.size + pads[0] + pads[2] - dilation * (kernel - 1) - 1) // stride + 1  # type: ignore[index]
        return self.tensor

    def activation(self) -> None:
        kind = str(
            self.random.choice(["Relu", "Relu", "Relu", "Relu", "Clip", "LeakyRelu", "PRelu", "Sigmoid", "", ""])
        )
        if kind == "Clip":
            self.add("Clip", self.tensor, self.constant(np.array(0.0)), self.constant(np.array(1.5)))
        elif kind == "LeakyRelu":
            self.add("LeakyRelu", self.tensor, alpha=0.1)
        elif kind == "PRelu":
            self.add("PRelu", self.tensor, self.constant(self.random.uniform(0, 0.5, (self.channels, 1, 1))))
        elif kind:
            self.add(kind, self.tensor)

    def function(self) -> None:
        """A function of each byte that is no clamp, as networks of today have them."""
        random, x = self.random, self.tensor
        kind = str(random.choice(FUNCTIONS))
        if kind == "SiLU":
            self.add("Mul", x, self.add("Sigmoid", x))
        elif kind == "HardSwish":
            clipped = self.add(
                "Clip",
                self.add("Add", x, self.constant(np.array(3.0))),
                self.constant(np.array(0.0)),
                self.constant(np.array(6.0)),
            )
            self.add("Div", self.add("Mul", x, clipped), self.constant(np.array(6.0)))
        elif kind == "PRelu":
            self.add("PRelu", x, self.constant(random.uniform(0, 0.5, (self.channels, 1, 1))))
        elif kind == "affine":
            scaled = self.add("Mul", x, self.constant(random.uniform(0.5, 1.5, (1, self.channels, 1, 1))))
            self.add("Add", scaled, self.constant(random.normal(0, 0.3, (self.channels, 1, 1))))
        elif kind == "scaled":
            self.add("Mul", self.constant(random.uniform(0.5, 1.5, 1)), x)
        else:
            self.add(kind, x)

    def pooling(self) -> None:
        if self.size < 4:
            return
        kind = str(self.random.choice(["MaxPool", "MaxPool", "AveragePool"]))
        window, stride = int(self.random.integers(2, 4)), int(self.random.integers(1, 3))
        # With padding, standards disagree on a window that starts beyond the image.
        pad, ceil = ((1, 0), (0, 1), (0, 0), (0, 0))[int(self.random.integers(4))]
        self.add(kind, self.tensor, kernel_shape=[window] * 2, strides=[stride] * 2, pads=[pad] * 4, ceil_mode=ceil)
        span = self.size + 2 * pad - window
        self.size = (-(-span // stride) if ceil else span // stride) + 1

    def block(self) -> None:
        """A residual block, with a projection if channels change, or two branches side by side."""
        source, before = self.tensor, self.channels
        if self.random.random() < 0.3:
            kernels = int(self.random.integers(1, 9))
            left = self.convolution(source, kernels, plain=True)
            right = self.convolution(source, kernels, plain=True)
            self.add("Concat", left, right, axis=1)
            self.channels = 2 * kernels
            return
        after = before if self.random.random() < 0.5 else int(self.random.integers(1, 17))
        first = self.convolution(source, after, plain=True)
        self.channels = after
        self.add("Relu", first)
        second = self.convolution(self.tensor, after, plain=True)
        if after != before:
            self.channels = before
            source = self.convolution(source, after, plain=True)
            self.channels = after
        self.add("Add", second, source)
        self.add("Relu", self.tensor)


def random_graph(seed: int, *, residual: bool, functions: bool = False) -> onnx.ModelProto:
    """A float network of a few layers on images of 6 to 16 pixels; ``residual`` ones have branches.

    With ``functions``, one or two of those that take a table follow each layer.
    """
    random = np.random.default_rng([seed, residual])
    channels, size = int(random.integers(1, 9)), int(random.integers(6, 17))
    writer = GraphWriter(random, channels, size)
    for _ in range(int(random.integers(1, 4))):
        kernels = int(random.choice([writer.channels, *random.integers(1, 17, 2)]))
        writer.convolution(writer.tensor, kernels)
        writer.channels = kernels
        writer.activation()
        for _ in range(int(random.integers(1, 3)) if functions else 0):
            writer.function()
        if residual:
            writer.block()
        if random.random() < 0.7:
            writer.pooling()
    if random.random() < 0.6:
        if random.random() < 0.5:
            writer.add("GlobalAveragePool", writer.tensor)
            writer.size = 1
        writer.add("Flatten", writer.tensor)
        inputs = writer.channels * writer.size**2
        weights = random.normal(0, np.sqrt(1 / inputs), (inputs, 10))
        if random.random() < 0.5:
            writer.add("Gemm", writer.tensor, writer.constant(weights.T), writer.constant(np.ones(10)), transB=1)
        else:
            writer.add("MatMul", writer.tensor, writer.constant(weights))
        if random.random() < 0.5:
            writer.add("Softmax", writer.tensor)
    graph = helper.make_graph(
        writer.nodes,
        f"random{seed}",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", channels, size, size])],
        [helper.make_tensor_value_info(writer.tensor, TensorProto.FLOAT, None)],
        writer.weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def samples(model: onnx.ModelProto, count: int, seed: int = 1) -> np.ndarray:
    """Normally distributed inputs for a float model, one for each image; open sizes become one."""
    shape = [dimension.dim_value or 1 for dimension in model.graph.input[0].type.tensor_type.shape.dim][1:]
    return np.random.default_rng(seed).normal(0, 1, (count, *shape)).astype(np.float32)


def quantised_as(model: onnx.ModelProto, form: str, inputs: np.ndarray) -> onnx.ModelProto:
    """The model in one of ``FORMS``, calibrated on these inputs."""

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._inputs = iter(inputs)

        def get_next(self) -> dict[str, np.ndarray] | None:
            x = next(self._inputs, None)
            return None if x is None else {model.graph.input[0].name: x[None]}

    fmt, activations, weights, per_channel, symmetric = FORMS[form]
    logging.disable(logging.WARNING)
    try:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
            onnx.save(model, source)
            quantize_static(
                source,
                target,
                Reader(),
                quant_format=fmt,
                activation_type=activations,
                weight_type=weights,
                per_channel=per_channel,
                extra_options={"ActivationSymmetric": symmetric, "WeightSymmetric": True},
            )
            return onnx.load(target)
    finally:
        logging.disable(logging.NOTSET)


def judged_case(seed: int, *, functions: bool = False) -> tuple[onnx.ModelProto, np.ndarray, str]:
    """The seed's quantised graph, a batch for it, and a name that tells the two kinds and all forms apart.

    Six seeds in a row are chains in all forms, the next six have branches, and so on.
    """
    form = list(FORMS)[seed % len(FORMS)]
    residual = seed // len(FORMS) % 2 == 1
    model = random_graph(seed, residual=residual, functions=functions)
    inputs = samples(model, 4)
    return quantised_as(model, form, inputs), inputs, f"{'branches' if residual else 'chain'} {form}"
