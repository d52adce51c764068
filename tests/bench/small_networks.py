"""Small stand-ins for well-known networks, with seeded weights: how often they leave the array, and what differs.

    python -m tests.bench.small_networks [--rtl] [NAME ...]

Each has the blocks of the network that it is named for, of few channels and pixels. It is quantised as by ``wingrid
quantize``, and every layer and output is compared with ONNX Runtime's by golden; with ``--rtl`` the network runs in one
memory on the RTL too, every layer's bits and cycles checked. Exit status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from imported_graphs import differences, imported, quantised_on
from layer_cases import SQUARE

from wingrid.host.execution.setup import Setup
from wingrid.host.images.chained_run import run_chained
from wingrid.host.onnx_models.judge import difference
from wingrid.host.onnx_models.scheduling import segments
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming

CONFIG = AcceleratorConfig(**{**vars(SQUARE), "tables": 8, "addends": 1024})


class Network:
    """A float model, node by node; weights as He et al. (ICCV 2015) start them."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.channels = {"x": shape[1]}
        self._random = np.random.default_rng(1)

    def add(self, operator: str, *inputs: str, channels: int | None = None, **attributes: object) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=f"{operator}{len(self.nodes)}", **attributes))
        self.channels[name] = channels or self.channels[inputs[0]]
        return name

    def constant(self, values: object, dtype: type[np.generic] = np.float32) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = np.asarray(values, dtype)
        return name

    def normal(self, *shape: int, fan_in: int = 25) -> str:
        return self.constant(self._random.normal(0, (2 / fan_in) ** 0.5, shape))

    def conv(self, x: str, kernels: int, side: int = 1, stride: int = 1, groups: int = 1, dilation: int = 1) -> str:
        axes, width = len(self.shape) - 2, self.channels[x] // groups
        weights = self.normal(kernels, width, *[side] * axes, fan_in=width * side**axes)
        return self.add(
            "Conv", x, weights, self.normal(kernels), channels=kernels, strides=[stride] * axes, group=groups,
            pads=[dilation * (side // 2)] * 2 * axes, dilations=[dilation] * axes,
        )  # fmt: skip

    def block(self, x: str, kernels: int, side: int = 1, stride: int = 1, groups: int = 1, **more: int) -> str:
        """With batch normalisation and ReLU."""
        left = self.conv(x, kernels, side, stride, groups, **more)
        ones = self.constant(self._random.uniform(0.5, 1.5, kernels))
        left = self.add("BatchNormalization", left, ones, self.normal(kernels), self.normal(kernels), ones)
        return self.add("Relu", left)

    def clipped(self, x: str) -> str:
        """ReLU6."""
        return self.add("Clip", x, self.constant(0), self.constant(6))

    def silu(self, x: str, kernels: int, side: int = 1, stride: int = 1) -> str:
        left = self.conv(x, kernels, side, stride)
        return self.add("Mul", left, self.add("Sigmoid", left))

    def transposed(self, x: str, kernels: int, side: int = 2, stride: int = 2, pad: int = 0) -> str:
        weights = self.normal(self.channels[x], kernels, side, side, fan_in=self.channels[x])
        bias = self.normal(kernels)
        attributes = {"strides": [stride] * 2, "pads": [pad] * 4}
        return self.add("ConvTranspose", x, weights, bias, channels=kernels, **attributes)

    def resized(self, x: str, factor: int = 2, mode: str = "nearest") -> str:
        how = {"nearest": "asymmetric", "linear": "half_pixel"}[mode]
        more = {"nearest_mode": "floor"} if mode == "nearest" else {}
        factors = self.constant([1, 1, factor, factor])
        return self.add("Resize", x, "", factors, mode=mode, coordinate_transformation_mode=how, **more)

    def joined(self, *parts: str) -> str:
        return self.add("Concat", *parts, channels=sum(self.channels[part] for part in parts), axis=1)

    def pooled(self, x: str, kernel: list[int], strides: list[int], pads: list[int] | None = None) -> str:
        return self.add("MaxPool", x, kernel_shape=kernel, strides=strides, pads=pads or [0] * 2 * len(kernel))

    def padded(self, x: str, pad: int, mode: str) -> str:
        return self.add("Pad", x, self.constant([0, 0, pad, pad] * 2, np.int64), mode=mode)

    def classified(self, x: str, classes: int = 5) -> str:
        row = self.add("Flatten", self.add("GlobalAveragePool", x), axis=1)
        weights = self.normal(classes, self.channels[x], fan_in=self.channels[x])
        return self.add("Gemm", row, weights, self.normal(classes), transB=1)

    def model(self, output: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "small",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def resnet18() -> tuple[Network, str]:
    net = Network(1, 3, 16, 16)
    x = net.pooled(net.block("x", 8, 7, 2), [3, 3], [2, 2], [1] * 4)
    for kernels, stride in ((8, 1), (16, 2)):
        left = net.conv(net.block(x, kernels, 3, stride), kernels, 3)
        x = net.add("Relu", net.add("Add", left, net.conv(x, kernels, 1, stride) if stride > 1 else x))
    return net, net.classified(x)


def mobilenet_v2() -> tuple[Network, str]:
    net = Network(1, 3, 16, 16)
    x = net.block("x", 8, 3, 2)
    for stride in (2, 1):
        wide = net.block(net.block(x, 48), 48, 3, stride, 48)
        left = net.conv(wide, 8)
        x = left if stride > 1 else net.add("Add", x, left)
    return net, net.classified(x)


def efficientnet_lite() -> tuple[Network, str]:
    """Inverted bottlenecks of 3x3 and 5x5, clipped at 6, without gates."""
    net = Network(1, 3, 16, 16)
    x = net.clipped(net.conv("x", 8, 3, 2))
    for side, stride, kernels in ((3, 1, 8), (5, 2, 12), (5, 1, 12)):
        wide = net.clipped(net.conv(x, 6 * net.channels[x]))
        left = net.conv(net.clipped(net.conv(wide, net.channels[wide], side, stride, net.channels[wide])), kernels)
        x = net.add("Add", x, left) if net.channels[x] == kernels else left
    return net, net.classified(net.clipped(net.conv(x, 32)))


def yolo_neck() -> tuple[Network, str]:
    """Blocks of YOLOv8: SiLU, Split, Concat, spatial pyramid pooling, and a finer scale by Resize."""
    net = Network(1, 3, 16, 16)
    fine = net.silu("x", 8, 3, 2)
    x = net.silu(fine, 16, 3, 2)
    half = net.constant([8, 8], np.int64)
    node = helper.make_node("Split", [net.silu(x, 16), half], ["left", "right"], axis=1)
    net.nodes.append(node)
    net.channels |= {"left": 8, "right": 8}
    again = net.add("Add", "right", net.silu(net.silu("right", 8, 3), 8, 3))
    x = net.silu(net.joined("left", "right", again), 16)
    scales = [net.silu(x, 6)]
    for _ in range(3):
        scales.append(net.pooled(scales[-1], [5, 5], [1, 1], [2] * 4))
    return net, net.conv(net.silu(net.joined(net.resized(net.silu(net.joined(*scales), 8)), fine), 8, 3), 5)


def unet(mode: str = "") -> tuple[Network, str]:
    """With transposed convolutions, or interpolation by ``mode``."""
    net = Network(1, 3, 8, 8)
    fine = net.block("x", 6, 3)
    middle = net.block(net.pooled(fine, [2, 2], [2, 2]), 10, 3)
    x = net.block(net.pooled(middle, [2, 2], [2, 2]), 12, 3)
    for skipped in (middle, fine):
        larger = net.resized(x, 2, mode) if mode else net.transposed(x, net.channels[skipped])
        x = net.block(net.joined(skipped, larger), net.channels[skipped], 3)
    return net, net.conv(x, 2)


def deeplab() -> tuple[Network, str]:
    """Dilated branches beside the mean of the image, and interpolation."""
    net = Network(1, 3, 8, 8)
    x = net.block("x", 8, 3, 2)
    mean = net.block(net.add("ReduceMean", x, axes=[2, 3], keepdims=1), 6)
    branches = [net.block(x, 6, 3, dilation=rate) for rate in (1, 2, 3)]
    joined = net.joined(*branches, net.resized(mean, 4, "linear"))
    return net, net.resized(net.conv(net.block(joined, 8), 4), 2, "linear")


def generator() -> tuple[Network, str]:
    """As DCGAN's, and two scales at once by DepthToSpace."""
    net = Network(1, 12, 2, 2)
    x = net.add("Relu", net.transposed(net.add("Relu", net.transposed("x", 8, 4, 2, 1)), 8, 4, 2, 1))
    return net, net.conv(net.add("DepthToSpace", net.conv(x, 12, 3), channels=3, blocksize=2, mode="CRD"), 3)


def style_transfer() -> tuple[Network, str]:
    """Mirrored borders, residual blocks, and repeated pixels."""
    net = Network(1, 3, 8, 8)
    x = net.block("x", 8, 3)
    x = net.add("Add", x, net.conv(net.block(x, 8, 3), 8, 3))
    return net, net.conv(net.padded(net.resized(net.padded(x, 1, "reflect")), 1, "edge"), 3, 3)


def crnn() -> tuple[Network, str]:
    """Windows and strides that shrink rows faster than columns."""
    net = Network(1, 1, 8, 16)
    x = net.pooled(net.block("x", 6, 3), [2, 2], [2, 1], [0, 1, 0, 1])
    return net, net.conv(net.pooled(net.block(x, 8, 3), [2, 1], [2, 1]), 8)


def audio() -> tuple[Network, str]:
    """A front end over a line."""
    net = Network(1, 1, 128)
    x = net.pooled(net.block("x", 8, 9, 4), [4], [4])
    return net, net.classified(net.block(x, 12, 3))


NETWORKS: dict[str, Callable[[], tuple[Network, str]]] = {
    **{
        make.__name__: make
        for make in (
            resnet18,
            mobilenet_v2,
            efficientnet_lite,
            yolo_neck,
            unet,
            deeplab,
            generator,
            style_transfer,
            crnn,
            audio,
        )
    },
    "unet_interpolated": lambda: unet("linear"),
}


def compared(name: str, *, rtl: bool) -> list[str]:
    """What differs; a line of figures is printed."""
    net, output = NETWORKS[name]()
    x = np.random.default_rng(3).normal(0, 1, net.shape).astype(np.float32)
    graph = imported(quantised_on(net.model(output), x), x, config=CONFIG)
    wrong = differences(graph, x)
    if rtl:
        inputs = dict.fromkeys(graph.inputs, x)
        run = run_chained(graph, inputs, Setup("rtl", CONFIG, MemoryTiming.for_bus(CONFIG.bus_bytes), jobs=1))
        wrong += [text for layer in run.layers for text in layer.failures()]
        wrong += [text for text in [difference(graph, inputs, run.outputs)] if text]
    hosts = " ".join(step.operator for step in graph.host_steps)
    print(f"{name:18} {len(graph.accelerated):3} layers, leaves the array {segments(graph.steps)} times; host: {hosts}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rtl", action="store_true")
    parser.add_argument("names", nargs="*", choices=[[], *NETWORKS], metavar="NAME")
    given = parser.parse_args()
    wrong = {name: found for name in given.names or NETWORKS if (found := compared(name, rtl=given.rtl))}
    for name, found in wrong.items():
        print(f"{name}: {'; '.join(found)}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
