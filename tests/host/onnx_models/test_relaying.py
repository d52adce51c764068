"""Nodes that only lay tensors out anew become layers' kernels in another order, or layers that copy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from image_cases import ImageCase
from imported_graphs import differences, imported, quantised_on
from layer_cases import SQUARE
from onnx import TensorProto, helper, numpy_helper

from wingrid.host.execution.setup import Setup
from wingrid.host.images.chained_run import run_chained
from wingrid.host.images.machines import SpecifiedMachine
from wingrid.host.images.running import run_image
from wingrid.host.images.work import model_work
from wingrid.host.onnx_models.graph import ImportedGraph, Part
from wingrid.host.onnx_models.judge import difference
from wingrid.host.onnx_models.mosaics import FILL, Mosaic, Piece
from wingrid.host.onnx_models.scheduling import segments
from wingrid.host.onnx_models.selections import Selection
from wingrid.sim.memory import MemoryTiming

X = np.random.default_rng(15).normal(0, 1, (1, 3, 8, 9)).astype(np.float32)


class Writer:
    """A float model, node by node; what is asked for as an output goes through a last layer."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.outputs: list[str] = []
        self._random = np.random.default_rng(3)
        self.tensor = self.conv("x", 8, 3, 3)

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: object) -> list[str]:
        names = [f"t{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, name=f"n{len(self.nodes)}", **attributes))
        return names

    def constant(self, *values: int) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.array(values, np.int64)
        return name

    def conv(self, tensor: str, kernels: int, channels: int, side: int = 1, groups: int = 1) -> str:
        name = f"c{len(self.constants)}"
        weights = self._random.normal(0, 0.4, (kernels, channels // groups, side, side))
        self.constants[name] = weights.astype(np.float32)
        bias = f"b{len(self.constants)}"
        self.constants[bias] = self._random.normal(0, 1, kernels).astype(np.float32)
        (left,) = self.add("Conv", tensor, name, bias, group=groups, pads=[side // 2] * 4)
        return left

    def shuffle(self, tensor: str, groups: int, channels: int = 8, size: tuple[int, int] = (8, 9)) -> str:
        for shape, order in (((1, groups, channels // groups, *size), True), ((1, channels, *size), False)):
            (tensor,) = self.add("Reshape", tensor, self.constant(*shape))
            if order:
                (tensor,) = self.add("Transpose", tensor, perm=[0, 2, 1, 3, 4])
        return tensor

    def slice(self, tensor: str, axes: list[int], starts: list[int], ends: list[int], steps: list[int]) -> str:
        arguments = [self.constant(*values) for values in (starts, ends, axes, steps)]
        return self.add("Slice", tensor, *arguments)[0]

    def output(self, tensor: str, channels: int) -> None:
        self.outputs.append(self.conv(tensor, 3, channels))

    def imported(self) -> ImportedGraph:
        graph = helper.make_graph(
            self.nodes,
            "relaid",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, X.shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.outputs],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return imported(quantised_on(model, X), X, config=SQUARE)


def shuffled(writer: Writer) -> None:
    """As in ShuffleNet: behind groups of one tap, whose kernels change places, and behind a depthwise layer."""
    tensor = writer.shuffle(writer.conv(writer.tensor, 8, 8, groups=2), 2)
    tensor = writer.shuffle(writer.conv(tensor, 8, 8, 3, groups=8), 4)
    writer.output(tensor, 8)


def split(writer: Writer) -> None:
    """As in YOLO's blocks: behind a layer, and of a tensor that others take too."""
    first, second = writer.add("Split", writer.conv(writer.tensor, 12, 8), writer.constant(5, 7), outputs=2, axis=1)
    writer.output(second, 7)
    writer.output(first, 5)
    halves = writer.add("Split", writer.tensor, writer.constant(4, 4), outputs=2, axis=1)
    (joined,) = writer.add("Concat", *reversed(halves), axis=1)
    writer.output(joined, 8)


def sliced(writer: Writer) -> None:
    """Focus, as in YOLOX, with strides; channels and edges left out; channels gathered, some twice."""
    quarters = [
        writer.slice(writer.tensor, [2, 3], [down, across], [8, 8], [2, 2]) for across in (0, 1) for down in (0, 1)
    ]
    (focus,) = writer.add("Concat", *quarters, axis=1)
    writer.output(focus, 32)
    writer.output(writer.slice(writer.tensor, [1, 2, 3], [2, 1, -4], [7, -2, 9], [1, 1, 1]), 5)
    gathered = writer.add("Gather", writer.tensor, writer.constant(7, 0, 0, 3), axis=1)[0]
    writer.output(gathered, 4)


def enlarged(writer: Writer) -> None:
    """As in feature pyramids: pixels repeated along both axes, behind that put beside others; and along one axis."""
    for scales, beside in (((2, 2), True), ((1, 3), False), ((2, 1), False)):
        name = f"c{len(writer.constants)}"
        writer.constants[name] = np.array([1, 1, *scales], np.float32)
        (tensor,) = writer.add(
            "Resize", writer.tensor, "", name, mode="nearest", nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )  # fmt: skip
        if beside:
            (tensor,) = writer.add("Concat", tensor, tensor, axis=1)
        writer.output(tensor, 16 if beside else 8)


def bordered(writer: Writer) -> None:
    """Borders of zeros, which come with the pixels, and of what is next to them, which are pieces of their own."""
    for mode, pads in (("constant", [1, 0, 0, 2]), ("reflect", [1, 0, 0, 2]), ("edge", [0, 1, 1, 0])):
        top, left, bottom, right = pads
        (tensor,) = writer.add("Pad", writer.tensor, writer.constant(0, 0, top, left, 0, 0, bottom, right), mode=mode)
        if mode == "constant":  # else ONNX Runtime pads in the convolution
            (tensor,) = writer.add("DepthToSpace", tensor, blocksize=2)
        writer.output(tensor, 2 if mode == "constant" else 8)


def woven(writer: Writer) -> None:
    """Channels between each other's pixels, in both orders of channels."""
    for mode in ("DCR", "CRD"):
        (tensor,) = writer.add("DepthToSpace", writer.tensor, blocksize=2, mode=mode)
        writer.output(tensor, 2)


def unwoven(writer: Writer) -> None:
    """Neighbouring pixels as channels, by a kernel that reaches to all of them."""
    even = writer.slice(writer.conv(writer.tensor, 3, 8, 3), [3], [1], [9], [1])
    (tensor,) = writer.add("SpaceToDepth", even, blocksize=2)
    writer.output(tensor, 12)


CASES: dict[str, tuple[Callable[[Writer], None], list[str]]] = {
    "shuffled": (shuffled, ["conv", "conv", "conv", "copy", "conv"]),
    "split": (split, ["conv", "conv", "conv", "conv", "conv", "copy", "copy", "conv"]),
    "enlarged": (enlarged, [*["conv"] * 4, *["copy"] * (2 + 2 + 2 + 3 + 2)]),
    "bordered": (bordered, [*["conv"] * 4, *["copy"] * (4 + 6 + 4)]),
    "woven": (woven, [*["conv"] * 3, *["copy"] * 8]),
    "unwoven": (unwoven, ["conv", "conv", "copy", "conv"]),
    "sliced": (sliced, ["conv", *["copy"] * 4, "conv", "copy", "conv", "copy", "conv"]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_lays_tensors_out_anew_is_part_of_one_program(name: str) -> None:
    write, operators = CASES[name]
    writer = Writer()
    write(writer)
    graph = writer.imported()
    assert segments(graph.steps) == 1, [(step.operator, step.reason) for step in graph.host_steps]
    assert sorted(step.layer.operator for step in graph.accelerated) == sorted(operators)
    assert differences(graph, X) == []
    inputs = dict.fromkeys(graph.inputs, X)
    case = ImageCase(model_work(name, graph, inputs), inputs, graph)
    image = case.image(SQUARE)
    assert len(image.contents.entries) == 1
    assert case.wrong(run_image(image, SpecifiedMachine(image), inputs)) is None


def test_multiply_adds_are_those_of_the_model() -> None:
    writer = Writer()
    shuffled(writer)
    graph = writer.imported()
    assert sum(step.macs for step in graph.accelerated) == 8 * 9 * (8 * 27 + 8 * 4 + 8 * 9 + 3 * 8)


def turned(writer: Writer) -> None:
    (tensor,) = writer.add("Transpose", writer.tensor, perm=[0, 1, 3, 2])
    writer.output(tensor, 8)


def blended(writer: Writer) -> None:
    """Numbers of elements, interpolated and cut off, would look like repeated ones."""
    name = f"c{len(writer.constants)}"
    writer.constants[name] = np.array([1, 1, 1, 3], np.float32)
    (tensor,) = writer.add(
        "Resize", writer.tensor, "", name, mode="linear", coordinate_transformation_mode="asymmetric"
    )
    writer.output(tensor, 8)


def flattened_columns(writer: Writer) -> None:
    (tensor,) = writer.add("Reshape", writer.tensor, writer.constant(1, 8, 9, 8))
    writer.output(tensor, 8)


@pytest.mark.parametrize("write", [turned, blended, flattened_columns], ids=lambda write: write.__name__)
def test_other_orders_of_pixels_are_the_hosts(write: Callable[[Writer], None]) -> None:
    writer = Writer()
    write(writer)
    graph = writer.imported()
    assert segments(graph.steps) == 2
    assert differences(graph, X) == []


def test_a_mosaic_is_seen_in_where_elements_end_up() -> None:
    shape = (1, 4, 5, 6)
    numbers = np.arange(4 * 5 * 6).reshape(shape)
    framed = np.pad(numbers[:, :, 1:, 1::2], [(0, 0), (0, 0), (0, 2), (1, 0)], constant_values=FILL)
    selection = Selection((0, 1, 2, 3), (1, 1), (1, 2), (4, 3))
    assert Mosaic.of(framed, shape) == Mosaic((Piece(Part(), selection, (0, 1, 2, 0)),), (6, 4))
    # A step before its first pixel lies a pixel of the image, which is none of the margin's.
    assert Mosaic.of(np.pad(numbers[:, :, 2:], [(0, 0), (0, 0), (1, 0), (0, 0)], constant_values=FILL), shape) is None
    woven = np.zeros((1, 2, 5, 12), int)
    woven[..., ::2], woven[..., 1::2] = numbers[:, :2], numbers[:, [3, 3]]
    found = Mosaic.of(woven, shape)
    assert found is not None
    assert [(piece.part, piece.selection.channels) for piece in found.pieces] == [
        (Part(column_step=2), (0, 1)),
        (Part(column=1, column_step=2), (3, 3)),
    ]
    assert Mosaic.of(np.random.default_rng(1).permutation(numbers.reshape(-1)).reshape(shape), shape) is None


def test_a_selection_is_seen_in_where_elements_end_up() -> None:
    shape = (2, 6, 5, 7)
    numbers = np.arange(2 * 6 * 5 * 7).reshape(shape)
    found = Selection.of(numbers[:, [4, 1, 1], 1::3, 2:], shape)
    assert found == Selection((4, 1, 1), (1, 2), (3, 1), (2, 5))
    assert not found.whole_images(shape)
    shifted = np.stack([numbers[:, 0, :-1, 1:], numbers[:, 0, 1:, :-1]], axis=1)
    assert Selection.of(shifted, shape) == Selection((0, 0), (0, 0), (1, 1), (4, 6), offsets=((0, 1), (1, 0)))
    assert Selection.of(numbers[::-1], shape) is None
    assert Selection.of(numbers[:, :, [0, 1, 3]], shape) is None
    assert Selection.of(numbers[:, :, [0, 0]], shape) is None
    assert Selection.of(numbers[:1], shape) is None
    swapped = numbers.copy()
    swapped[1, 3, 2, 3:5] = swapped[1, 3, 2, 4:2:-1]
    assert Selection.of(swapped, shape) is None


@pytest.mark.rtl
@pytest.mark.slow
def test_the_rtl_lays_tensors_out_anew() -> None:
    writer = Writer()
    for write, _ in CASES.values():
        write(writer)
    graph = writer.imported()
    inputs = dict.fromkeys(graph.inputs, X)
    run = run_chained(graph, inputs, Setup("rtl", SQUARE, MemoryTiming.for_bus(SQUARE.bus_bytes), jobs=1))
    assert [text for layer in run.layers for text in layer.failures()] == []
    assert difference(graph, inputs, run.outputs) is None
