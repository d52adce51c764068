"""Models that are broken, hostile or beyond what is supported are refused in one sentence, before memory is spent."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from imported_graphs import CONFIG
from onnx import TensorProto, helper, numpy_helper

from wingrid.host.onnx_models.graph_walk import golden_outputs
from wingrid.host.onnx_models.importer import FloatModel, import_model
from wingrid.host.onnx_models.inputs import model_inputs
from wingrid.host.onnx_models.model_file import read_model
from wingrid.host.onnx_models.refusal import ModelRefused
from wingrid.host.onnx_models.sizes import Sizes

Change = Callable[[onnx.ModelProto], None]


def small_model() -> onnx.ModelProto:
    """QuantizeLinear, one QLinearConv, DequantizeLinear."""
    constants = {
        "x_scale": np.float32(0.1),
        "zero": np.int8(3),
        "w": np.ones((4, 3, 3, 3), np.int8),
        "w_scale": np.full(4, 0.01, np.float32),
        "w_zero": np.zeros(4, np.int8),
        "y_scale": np.float32(0.2),
        "bias": np.arange(4, dtype=np.int32),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "x_scale", "zero"], ["xq"], name="quantise"),
        helper.make_node(
            "QLinearConv",
            ["xq", "x_scale", "zero", "w", "w_scale", "w_zero", "y_scale", "zero", "bias"],
            ["yq"],
            name="conv",
            pads=[1] * 4,
        ),
        helper.make_node("DequantizeLinear", ["yq", "y_scale", "zero"], ["y"], name="dequantise"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4, 8, 8])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def read_and_run(model: onnx.ModelProto | bytes, folder: Path, shape: tuple[int, ...] = (1, 3, 8, 8)) -> None:
    path = folder / "model.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    known = read_model(path)
    graph = import_model(known, dict.fromkeys(known.inputs, shape), CONFIG)
    golden_outputs(graph, model_inputs(known.inputs, {}, Sizes(dict.fromkeys(known.inputs, shape))))


def constant(model: onnx.ModelProto, name: str) -> TensorProto:
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def setting(name: str, value: object) -> Change:
    """Give a constant another value."""
    return lambda model: constant(model, name).CopyFrom(numpy_helper.from_array(np.asarray(value), name))


def removing(name: str) -> Change:
    return lambda model: model.graph.initializer.remove(constant(model, name))


def shaping(name: str, dims: list[int]) -> Change:
    """Change a constant's header, and leave its data."""

    def change(model: onnx.ModelProto) -> None:
        tensor = constant(model, name)
        del tensor.dims[:]
        tensor.dims.extend(dims)

    return change


def inputs(*dims: int | str) -> Change:
    def change(model: onnx.ModelProto) -> None:
        model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, dims))

    return change


def outputs(*dims: int | str) -> Change:
    def change(model: onnx.ModelProto) -> None:
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, dims))

    return change


def opset(version: int) -> Change:
    def change(model: onnx.ModelProto) -> None:
        model.opset_import[0].version = version

    return change


def operators(*kinds: str, domain: str = "") -> Change:
    """Nodes of these kinds between the last one and the output."""

    def change(model: onnx.ModelProto) -> None:
        tensor = "y"
        for kind in kinds:
            model.graph.node.append(helper.make_node(kind, [tensor], [f"{kind}_y"], name=f"my{kind}", domain=domain))
            tensor = f"{kind}_y"
        model.graph.output[0].name = tensor
        if domain:
            model.opset_import.append(helper.make_opsetid(domain, 1))

    return change


def external(location: str, **entries: str) -> Change:
    def change(model: onnx.ModelProto) -> None:
        tensor = constant(model, "w")
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **entries}.items():
            tensor.external_data.add(key=key, value=value)

    return change


def data_type(name: str, kind: int) -> Change:
    return lambda model: setattr(constant(model, name), "data_type", kind)


def padded(model: onnx.ModelProto) -> None:
    """More zeros around the output than any memory holds."""
    pads = [0, 0, 0, 0, 0, 0, 1 << 20, 1 << 20]
    model.graph.initializer.append(numpy_helper.from_array(np.array(pads), "pads"))
    model.graph.node.append(helper.make_node("Pad", ["y", "pads"], ["z"], name="pad"))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))


BROKEN: dict[str, tuple[Change, str]] = {
    "opset of the future": (opset(9999), "Opset 9999 is under development and support for this is limited"),
    "opset of the past": (opset(1), "No Op registered for QuantizeLinear with domain_version of 1"),
    "opset without the operator": (opset(9), "No Op registered for QuantizeLinear with domain_version of 9"),
    "no opset": (
        lambda model: model.ClearField("opset_import"),
        "ONNX Runtime refuses the model: Missing opset in the model.",
    ),
    "newer file format": (
        lambda model: setattr(model, "ir_version", 999),
        "Unsupported model IR version: 999, max supported IR version: ",
    ),
    "no output": (lambda model: model.graph.ClearField("output"), "the model's graph has no output"),
    "weights missing": (
        removing("w"),
        "Node input 'w' is not a graph input, initializer, or output of a previous node",
    ),
    "scale missing": (
        removing("y_scale"),
        "Node input 'y_scale' is not a graph input, initializer, or output of a previous node",
    ),
    "2 GiB header": (
        shaping("w", [2**31, 1, 1, 1]),
        "tensor w of shape [2147483648, 1, 1, 1] and type INT8 needs 2147483648 bytes, but the file holds 108",
    ),
    "header beyond 64 bits": (shaping("w", [2**62, 2**62, 3, 3]), "tensor w of shape [4611686018427387904, "),
    "negative size": (shaping("w", [-4, 3, 3, 3]), "tensor w has a negative size in its shape [-4, 3, 3, 3]"),
    "data cut short": (
        lambda model: setattr(constant(model, "bias"), "raw_data", b"123"),
        "tensor bias of shape [4] and type INT32 needs 16 bytes, but the file holds 3",
    ),
    "unknown type": (data_type("w", 99), "tensor w has the unknown data type 99"),
    "weights of another type": (
        setting("w", np.ones((4, 3, 3, 3), np.float32)),
        "Type 'tensor(float)' of input parameter (w) of operator (QLinearConv) in node (conv) is invalid",
    ),
    "weights of other channels": (
        setting("w", np.ones((4, 5, 3, 3), np.int8)),
        "Input channels C is not equal to kernel channels * group. C: 3 kernel channels: 5 group: 1",
    ),
    "weights without size": (setting("w", np.ones((0, 3, 3, 3), np.int8)), "while running QLinearConv node"),
    "bias of another length": (
        setting("bias", np.ones(7, np.int32)),
        "bias must be a 1D tensor of size output_channels (4)",
    ),
    "scales of another length": (
        setting("w_scale", np.ones(3, np.float32)),
        "QLinearConv : filter scale shape invalid",
    ),
    "scale of zero": (setting("x_scale", np.float32(0)), "scale x_scale of node quantise holds 0.0: scales must be "),
    "negative scale": (setting("y_scale", np.float32(-1)), "scale y_scale of node conv holds -1.0: scales must be "),
    "scale that is no number": (setting("y_scale", np.float32("nan")), "scale y_scale of node conv holds nan: "),
    "infinite scale": (setting("w_scale", np.full(4, np.inf, np.float32)), "scale w_scale of node conv holds inf: "),
    "input of another rank": (inputs("N", 3, 8), "input x must be float32 [N, 3, 8], not [1, 3, 8, 8]"),
    "input without size": (inputs("N", 0, 8, 8), "input x has a size of zero or less in its shape ['N', 0, 8, 8]"),
    "input beyond memory": (
        inputs(1, 3, 2**31 - 1, 8),
        "tensor x of shape [1, 3, 2147483647, 8] would take more than ",
    ),
    "tensor elsewhere": (external("/etc/passwd"), "tensor w must lie in a file beside the model, not in '/etc/passwd'"),
    "tensor above": (external("../secret"), "tensor w must lie in a file beside the model, not in '../secret'"),
    "tensor in no file": (external("weights"), "tensor w cannot be read from weights: "),
    "tensor beyond its file": (external("model.onnx", length="99999999"), "tensor w lies beyond the end of model.onnx"),
    "tensor from a strange place": (external("model.onnx", offset="x"), "tensor w cannot be read from model.onnx: "),
    "padding beyond memory": (
        padded,
        "tensor z of shape [1, 4, 1048584, 1048584] would take more than 2147483648 bytes",
    ),
    "operators between other types": (
        operators("NonZero", "Relu", "Det"),
        "Type 'tensor(int64)' of input parameter (Relu_y) of operator (Det) in node (myDet) is invalid",
    ),
    "operators of another domain": (
        operators("Frobnicate", domain="org.example"),
        "org.example:Frobnicate(-1) is not a registered function/op",
    ),
}


def test_the_model_that_is_broken_below_is_sound(tmp_path: Path) -> None:
    read_and_run(small_model(), tmp_path)


@pytest.mark.parametrize("what", BROKEN)
def test_broken_models_are_refused_in_a_sentence(what: str, tmp_path: Path) -> None:
    model = small_model()
    change, message = BROKEN[what]
    change(model)
    with pytest.raises(ModelRefused) as caught:
        read_and_run(model, tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.999])
def test_truncated_files_are_refused(share: float, tmp_path: Path) -> None:
    content = small_model().SerializeToString()
    with pytest.raises(ModelRefused):
        read_and_run(content[: int(share * len(content))], tmp_path)


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    content = small_model().SerializeToString().replace(b"conv", b"c\xbcnv")
    with pytest.raises(ModelRefused, match="it holds names that are no UTF-8"):
        read_and_run(content, tmp_path)


def test_names_that_cannot_be_shown_are_refused(tmp_path: Path) -> None:
    model = small_model()
    inputs("N", 3, "a\nsize", 8)(model)
    with pytest.raises(ModelRefused, match="the file holds names with line breaks"):
        read_and_run(model, tmp_path)


def test_shapes_beyond_memory_are_refused(tmp_path: Path) -> None:
    model = small_model()
    inputs("N", 3, "H", "W")(model)
    outputs("N", 4, "H", "W")(model)
    with pytest.raises(ModelRefused, match="would take more than 2147483648 bytes"):
        read_and_run(model, tmp_path, (1, 3, 1 << 20, 1 << 20))


def test_a_float_model_is_told_how_to_become_int8(tmp_path: Path) -> None:
    model = small_model()
    del model.graph.node[:]
    model.graph.node.append(helper.make_node("Conv", ["x", "wf"], ["y"], name="conv", pads=[1] * 4))
    model.graph.initializer.append(numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "wf"))
    with pytest.raises(FloatModel, match=r"wingrid quantize MODEL\.onnx --calibration FILE\.npz -o OUT\.onnx"):
        read_and_run(model, tmp_path)


def test_a_small_file_with_a_large_header_takes_little_memory(tmp_path: Path) -> None:
    model = small_model()
    shaping("w", [2**31, 1, 1, 1])(model)
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    limit = 3 << 30
    done = subprocess.run(
        [sys.executable, "-m", "wingrid", "run", str(path), "--backend", "golden"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert done.returncode == 2, done.stderr
    assert "needs 2147483648 bytes, but the file holds 108" in done.stderr
    assert done.stderr.count("\n") == 1


def test_commands_that_need_no_onnx_do_not_load_it() -> None:
    unwanted = "{'onnx', 'onnxruntime', 'google.protobuf'}"
    code = f"import sys, wingrid.host.commands.run; print(sorted({unwanted} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
