"""Small float models of which each has something that a quantiser may trip over, with samples for their inputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Case = tuple[onnx.ModelProto, dict[str, np.ndarray]]
Shape = Sequence[int | str]

_random = np.random.default_rng(5)


def values(*shape: int) -> np.ndarray:
    """Normally distributed float32."""
    return _random.normal(0, 0.4, shape).astype(np.float32)


IMAGES: Shape = ("N", 4, 6, 6)
KERNELS, BIAS = values(4, 4, 3, 3), values(4)
SAMPLES = values(3, 4, 6, 6)
PADDED = {"pads": [1] * 4}
node = helper.make_node


def model(
    nodes: Sequence[onnx.NodeProto],
    outputs: Sequence[str] = ("y",),
    *,
    inputs: dict[str, Shape] | None = None,
    opset: int = 17,
    ir: int = 8,
    type_: int = TensorProto.FLOAT,
    **constants: np.ndarray,
) -> onnx.ModelProto:
    """A model of these nodes; its input is ``x``, images of four channels, unless told otherwise."""
    graph = helper.make_graph(
        list(nodes),
        "awkward",
        [helper.make_tensor_value_info(name, type_, shape) for name, shape in (inputs or {"x": IMAGES}).items()],
        [helper.make_tensor_value_info(name, type_, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


def product(bias: np.ndarray) -> Case:
    """A Gemm with factors before the product and before its bias."""
    nodes = [node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "w", "b"], ["y"], alpha=0.5, beta=2.0)]
    return model(nodes, inputs={"x": [3, 4, 6, 6]}, w=values(144, 5), b=bias), {"x": SAMPLES}


def of_opset(opset: int, ir: int) -> Case:
    """A classifier with the operators whose definition has changed most."""
    nodes = [
        node("Conv", ["x", "w"], ["a"], **PADDED),
        node("BatchNormalization", ["a", "spread", "offset", "mean", "variance"], ["n"]),
        node("Relu", ["n"], ["r"]),
        node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Add", ["p", "one"], ["s"]),
        node("GlobalAveragePool", ["s"], ["g"]),
        node("Flatten", ["g"], ["f"]),
        node("Gemm", ["f", "v", "c"], ["y"]),
    ]
    normal = {"spread": BIAS**2 + 1, "offset": BIAS, "mean": BIAS, "variance": BIAS**2 + 1}
    made = model(nodes, opset=opset, ir=ir, w=KERNELS, v=values(4, 3), c=values(3), one=values(1), **normal)
    if ir < 4:  # constants were inputs too
        made.graph.input.extend(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            for tensor in made.graph.initializer
        )
    return made, {"x": SAMPLES}


def with_branches() -> Case:
    """An If, whose graphs take weights and activations from outside that convolutions outside take too."""
    then = helper.make_graph(
        [node("Conv", ["r", "w", "b"], ["t"])],
        "then",
        [],
        [helper.make_tensor_value_info("t", TensorProto.FLOAT, None)],
    )
    otherwise = helper.make_graph(
        [node("AveragePool", ["a"], ["e"], kernel_shape=[3, 3])],
        "else",
        [],
        [helper.make_tensor_value_info("e", TensorProto.FLOAT, None)],
    )
    nodes = [
        node("Conv", ["x", "w", "b"], ["a"], **PADDED),
        node("Relu", ["a"], ["r"]),
        node("ReduceMax", ["r"], ["most"], keepdims=0),
        node("Greater", ["most", "zero"], ["any"]),
        node("If", ["any"], ["i"], then_branch=then, else_branch=otherwise),
        node("Conv", ["i", "w", "b"], ["y"]),
    ]
    return model(nodes, w=KERNELS, b=BIAS, zero=np.float32(0)), {"x": SAMPLES}


def transposed(groups: int) -> Case:
    """A transposed convolution, which the host does, behind one that the array does."""
    nodes = [node("Conv", ["x", "w"], ["a"]), node("ConvTranspose", ["a", "v", "b"], ["y"], group=groups)]
    return model(nodes, w=KERNELS, v=values(4, 4 // groups, 3, 3), b=BIAS), {"x": SAMPLES}


def constant(name: str, array: np.ndarray) -> onnx.NodeProto:
    """A constant as a node."""
    return node("Constant", [], [name], value=numpy_helper.from_array(array))


AWKWARD: dict[str, Case] = {
    "weights and bias that two layers share": (
        model(
            [
                node("Conv", ["x", "w", "b"], ["a"], **PADDED),
                node("Relu", ["a"], ["r"]),
                node("Conv", ["r", "w", "b"], ["y"], **PADDED),
            ],
            w=KERNELS,
            b=BIAS,
        ),
        {"x": SAMPLES},
    ),
    "weights whose output channels lie along either axis": (
        model(
            [
                node("Flatten", ["x"], ["f"]),
                node("Gemm", ["f", "w"], ["a"]),
                node("Gemm", ["a", "w"], ["b"], transB=1),
                node("MatMul", ["b", "w"], ["y"]),
            ],
            w=values(144, 16),
        ),
        {"x": SAMPLES},
    ),
    "a bias that an addition takes too": (
        model(
            [
                node("Conv", ["x", "w", "b"], ["a"], **PADDED),
                node("Reshape", ["b", "shape"], ["c"]),
                node("Add", ["a", "c"], ["s"]),
                node("Transpose", ["s"], ["t"], perm=[0, 2, 3, 1]),
                node("Add", ["t", "b"], ["y"]),
            ],
            w=KERNELS,
            b=BIAS,
            shape=np.array([4, 1, 1]),
        ),
        {"x": SAMPLES},
    ),
    "a bias [1, N]": product(values(1, 5)),
    "a bias [1]": product(values(1)),
    "a bias of one number": product(values()),
    "a bias [M, N]": product(values(3, 5)),
    "a bias [M, 1]": product(values(3, 1)),
    "a bias that is computed": (
        model(
            [
                node("Flatten", ["x"], ["f"]),
                node("Gemm", ["f", "w"], ["c"]),
                node("Gemm", ["f", "w", "c"], ["y"], beta=0.5),
            ],
            w=values(144, 5),
        ),
        {"x": SAMPLES},
    ),
    "constants that are nodes, and pass through others": (
        model(
            [
                constant("k", values(3, 3, 4, 4)),
                node("Transpose", ["k"], ["t"], perm=[3, 2, 0, 1]),
                node("Identity", ["t"], ["w"]),
                constant("c", values(1, 4)),
                node("Reshape", ["c", "flat"], ["b"]),
                node("Conv", ["x", "w", "b"], ["y"]),
            ],
            flat=np.array([-1]),
        ),
        {"x": SAMPLES},
    ),
    "weights that are an input with a default": (
        model([node("Conv", ["x", "w"], ["y"])], inputs={"x": IMAGES, "w": [4, 4, 3, 3]}, w=KERNELS),
        {"x": SAMPLES},
    ),
    "weights that are an input": (
        model(
            [node("Conv", ["x", "w"], ["a"]), node("Conv", ["a", "v", "b"], ["y"])],
            inputs={"x": IMAGES, "w": [4, 4, 3, 3]},
            v=KERNELS,
            b=BIAS,
        ),
        {"x": SAMPLES, "w": values(3, 4, 4, 3, 3)},
    ),
    "names that the quantiser would give": (
        model(
            [
                node("Conv", ["x", "x_scale", "x_zero_point"], ["x_quantized"]),
                node("Relu", ["x_quantized"], ["x_QuantizeLinear_Output"], name="x_QuantizeLinear"),
                node("Conv", ["x_QuantizeLinear_Output", "x_scale_quantized"], ["a b/c:0_ReduceMin"], name=""),
                node("Relu", ["a b/c:0_ReduceMin"], ["x_DequantizeLinear_Output"], name="x_QuantizeLinear"),
            ],
            ["x_DequantizeLinear_Output"],
            x_scale=KERNELS,
            x_zero_point=BIAS,
            x_scale_quantized=values(4, 4, 3, 3),
        ),
        {"x": SAMPLES},
    ),
    "inputs and outputs with such names": (
        model(
            [node("Conv", ["x", "w"], ["x_scale"]), node("Mul", ["x_zero_point", "x_scale"], ["x_quantized"])],
            ["x_scale", "x_quantized"],
            inputs={"x": IMAGES, "x_zero_point": [1]},
            w=KERNELS,
        ),
        {"x": SAMPLES, "x_zero_point": values(3)},
    ),
    "outputs that go on": (
        model(
            [
                node("Conv", ["x", "w"], ["a"], **PADDED),
                node("Relu", ["a"], ["r"]),
                node("Conv", ["r", "w"], ["y"]),
                node("Identity", ["x"], ["same"]),
            ],
            ["a", "r", "y", "same"],
            w=KERNELS,
        ),
        {"x": SAMPLES},
    ),
    "graphs inside nodes": with_branches(),
    "a transposed convolution": transposed(1),
    "a transposed convolution with groups": transposed(2),
    "shapes that depend on data": (
        model(
            [
                node("Conv", ["x", "w"], ["y"]),
                node("Relu", ["y"], ["r"]),
                node("NonZero", ["r"], ["places"]),
                node("Cast", ["places"], ["n"], to=TensorProto.FLOAT),
            ],
            ["y", "n"],
            w=KERNELS,
        ),
        {"x": SAMPLES},
    ),
    "empty tensors": (
        model(
            [
                node("Conv", ["x", "w"], ["a"]),
                node("Slice", ["a", "zero", "zero", "zero"], ["nothing"]),
                node("Concat", ["a", "nothing"], ["y"], axis=0),
            ],
            w=KERNELS,
            zero=np.array([0]),
        ),
        {"x": SAMPLES},
    ),
    "infinities": (
        model(
            [
                node("Conv", ["x", "w"], ["a"]),
                node("Greater", ["a", "zero"], ["c"]),
                node("Where", ["c", "a", "less"], ["m"]),
                node("Softmax", ["m"], ["s"]),
                node("Conv", ["s", "w"], ["y"]),
            ],
            w=KERNELS,
            zero=np.float32(0),
            less=np.float32(-np.inf),
        ),
        {"x": SAMPLES},
    ),
    "a batch of two": (
        model([node("Conv", ["x", "w"], ["y"])], inputs={"x": [2, 4, 6, 6]}, w=KERNELS),
        {"x": values(5, 4, 6, 6)},
    ),
    "a layer of constants": (
        model(
            [node("Conv", ["k", "w"], ["a"]), node("Conv", ["x", "w"], ["b"]), node("Add", ["a", "b"], ["y"])],
            w=KERNELS,
            k=values(1, 4, 6, 6),
        ),
        {"x": SAMPLES},
    ),
    "an input that nobody takes": (
        model([node("Conv", ["x", "w"], ["y"])], inputs={"x": IMAGES, "u": ["N", 2]}, w=KERNELS),
        {"x": SAMPLES, "u": values(3, 2)},
    ),
    "weights of zero": (model([node("Conv", ["x", "w", "b"], ["y"])], w=KERNELS * 0, b=BIAS), {"x": SAMPLES}),
    "float16": (
        model(
            [node("Conv", ["x", "w", "b"], ["y"])],
            type_=TensorProto.FLOAT16,
            w=KERNELS.astype(np.float16),
            b=BIAS.astype(np.float16),
        ),
        {"x": SAMPLES.astype(np.float16)},
    ),
    "float64": (
        model([node("Conv", ["x", "w"], ["y"])], type_=TensorProto.DOUBLE, w=KERNELS.astype(np.float64)),
        {"x": SAMPLES},
    ),
    **{f"opset {opset}": of_opset(opset, ir) for opset, ir in ((7, 3), (9, 4), (11, 6), (13, 7), (18, 8), (24, 10))},
}
