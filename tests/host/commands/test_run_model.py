"""The command line with ONNX models: digits on the RTL, files in and out, and refusals."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from command_calls import ON_SQUARE, call
from onnx import TensorProto, helper, numpy_helper
from random_graphs import quantised_as, random_graph, samples

import wingrid
from wingrid.host.onnx_models.bundled import DIGITS, bundled_model, labelled_digits


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A float model with a residual block, the same quantised, and inputs for it; in the current folder."""
    model = random_graph(13, residual=True)
    x = samples(model, 3)
    onnx.save(model, tmp_path / "float.onnx")
    onnx.save(quantised_as(model, "qdq-u8s8-channel", x), tmp_path / "int8.onnx")
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "samples.npz", x=x)
    np.savez(tmp_path / "two.npz", a=x, b=x)
    np.savez(tmp_path / "nan.npz", x=x * np.nan)
    np.save(tmp_path / "nan.npy", x * np.float32("nan"))
    np.save(tmp_path / "narrow.npy", x[..., 1:])
    (tmp_path / "text.onnx").write_text("this is no model")
    (tmp_path / "empty.onnx").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def precise_session(path: Path) -> onnxruntime.InferenceSession:
    """With exact sums on every x86 processor; without, those that lack VNNI saturate."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def expected_from(path: Path, x: np.ndarray) -> np.ndarray:
    session = precise_session(path)
    return session.run(None, {session.get_inputs()[0].name: x})[0]


@pytest.mark.rtl
def test_digits_are_recognised_on_the_rtl(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "logits.npy"
    assert call("run", "digits", "--batch", 1, "--output", output, "--json", "-", *ON_SQUARE) == 0
    found = json.loads(capsys.readouterr().out)
    assert [layer["exact"] for layer in found["layers"]] == [True] * 8
    assert (found["onnxruntime_equal"], found["accuracy"]) == (True, {"images": 1, "correct": 1})
    assert {entry["operator"] for entry in found["host"]} == {"QuantizeLinear", "DequantizeLinear"}
    expected = expected_from(bundled_model(DIGITS), labelled_digits(1, "rtl").images)
    assert np.load(output).tobytes() == expected.tobytes()


@pytest.mark.rtl
def test_a_model_with_branches_runs_on_the_rtl(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "int8.onnx", "--input", "x.npy", "--output", "y.npy", "--json", "-", *ON_SQUARE) == 0
    found = json.loads(capsys.readouterr().out)
    assert {layer["exact"] for layer in found["layers"]} == {True}
    assert "QLinearAdd" not in {entry["operator"] for entry in found["host"]}
    assert np.load("y.npy").tobytes() == expected_from(Path("int8.onnx"), np.load("x.npy")).tobytes()


def test_a_float_model_runs_once_it_is_quantised(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "float.onnx", "--backend", "golden") == 2
    assert "wingrid quantize MODEL.onnx --calibration FILE.npz -o OUT.onnx" in capsys.readouterr().err
    assert call("quantize", "float.onnx", "--calibration", "samples.npz", "-o", "made.onnx") == 0
    assert call("run", "made.onnx", "--backend", "golden", "--input", "x.npy", "--output", "y.npy") == 0
    assert "The outputs equal ONNX Runtime's in every bit." in capsys.readouterr().out
    assert np.load("y.npy").tobytes() == expected_from(Path("made.onnx"), np.load("x.npy")).tobytes()


def test_noise_of_any_batch_goes_in_if_nothing_else_is_given(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "int8.onnx", "--backend", "golden", "--batch", "2", "--output", "y.npy") == 0
    assert len(np.load("y.npy")) == 2


def test_a_single_layer_leaves_its_own_output(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "digits", "--backend", "golden", "--batch", 2, "--layers", "/22/Gemm", "--output", "y.npy") == 0
    y = np.load("y.npy")
    assert y.shape == (2, 64)
    assert y.dtype in (np.int8, np.uint8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("run absent.onnx", "cannot read absent.onnx: No such file or directory"),
        ("run text.onnx", "text.onnx: the file is no ONNX model, or it is cut short"),
        ("run empty.onnx", "empty.onnx: the file is no ONNX model: it has no graph, or a graph without nodes"),
        ("run int8.onnx --input narrow.npy", "narrow.npy must hold float32 [N, "),
        ("run int8.onnx --input nan.npy", "nan.npy holds values that are infinite or no numbers"),
        ("run int8.onnx --input x.npy --batch 2", "x.npy holds 3 images, not a batch of 2"),
        ("run int8.onnx --layers nothing", "network int8.onnx has no layer 'nothing'; it has conv"),
        ("run int8.onnx --output none/y.npy", "cannot write none/y.npy: none is no folder"),
        ("run digits --batch 501", "501 digits must lie between 1 and 500, as many as there are"),
        ("run digits --batch 0", "--batch 0 must be at least 1"),
        ("quantize float.onnx --calibration absent.npz -o o.onnx", "cannot read absent.npz: No such file or directory"),
        ("quantize float.onnx --calibration text.onnx -o o.onnx", "text.onnx is no .npz or .npy file, no "),
        ("quantize float.onnx --calibration narrow.npy -o o.onnx", "narrow.npy: input x must hold float32 [N, "),
        ("quantize float.onnx --calibration two.npz -o o.onnx", "two.npz must hold arrays named x, as the model's"),
        ("quantize float.onnx --calibration nan.npz -o o.onnx", "nan.npz: input x holds values that are "),
        ("quantize int8.onnx --calibration samples.npz -o o.onnx", "int8.onnx: the model is quantised already"),
        ("quantize float.onnx --calibration samples.npz -o no/o.onnx", "cannot write no/o.onnx: no is no folder"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(
    arguments: str, message: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(files.iterdir())
    backend = ["--backend", "golden"] if arguments.startswith("run") else []
    assert call(*arguments.split(), *backend) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"wingrid: {message}")
    assert error.count("\n") == 1
    assert sorted(files.iterdir()) == before


@pytest.mark.rtl
def test_an_estimate_of_a_model_is_what_the_timing_backend_finds(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for command in (("estimate", "int8.onnx"), ("run", "int8.onnx", "--backend", "timing")):
        assert call(*command, "--batch", 3, "--json", "-", *ON_SQUARE) == 0
        found.append(json.loads(capsys.readouterr().out))
    estimated, timed = found
    assert estimated["layers"] == timed["layers"]
    assert estimated["host"] == timed["host"] != []
    assert estimated["total"]["cycles"] == sum(layer["cycles"] for layer in estimated["layers"]) > 0
    assert call("run", "int8.onnx", "--input", "x.npy", "--json", "-", *ON_SQUARE) == 0
    run = json.loads(capsys.readouterr().out)
    assert all(layer["timing_equal"] for layer in run["layers"])
    assert [layer["macs"] for layer in run["layers"]] == [layer["macs"] for layer in estimated["layers"]]


def test_an_estimate_of_a_float_model_needs_the_word(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("estimate", "float.onnx") == 2
    assert "wingrid quantize MODEL.onnx" in capsys.readouterr().err
    assert call("estimate", "float.onnx", "--assume-int8", "--json", "-", *ON_SQUARE) == 0
    assert json.loads(capsys.readouterr().out)["total"]["cycles"] > 0
    assert call("estimate", "vgg16", "--assume-int8") == 2
    assert call("run", "int8.onnx", "--backend", "timing", "--output", "y.npy") == 2
    assert not Path("y.npy").exists()


def test_python_estimates_models_as_the_command_does(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("estimate", "float.onnx", "--assume-int8", "--json", "-") == 0
    found = json.loads(capsys.readouterr().out)["layers"]
    assert found
    assert wingrid.estimate("float.onnx", assume_int8=True).as_dict()["layers"] == found


@pytest.fixture
def several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A quantised model of two inputs and two outputs of any size, and inputs for it; in the current folder."""
    random = np.random.default_rng(21)
    w = random.integers(-127, 128, (4, 3, 3, 3), np.int8)
    constants = {"s": np.float32(0.1), "z": np.uint8(128), "ws": np.float32(0.01), "wz": np.int8(0), "w": w}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"], name="quantise"),
        helper.make_node("QLinearConv", ["xq", "s", "z", "w", "ws", "wz", "s", "z"], ["c"], name="conv", pads=[1] * 4),
        helper.make_node("DequantizeLinear", ["c", "s", "z"], ["out/put"], name="dequantise"),
        helper.make_node("Mul", ["out/put", "gain"], ["second"], name="gain"),
    ]
    graph = helper.make_graph(
        nodes,
        "several",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, "H", "W"]),
            helper.make_tensor_value_info("gain", TensorProto.FLOAT, [1]),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("out/put", "second")],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "several.onnx")
    x = random.normal(0, 1, (1, 3, 6, 7)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "gain.npy", np.array([3], np.float32))
    np.savez(tmp_path / "both.npz", x=x, gain=np.array([3], np.float32))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("given", [["x=x.npy", "gain=gain.npy"], ["both.npz"]])
@pytest.mark.parametrize("output", ["y.npz", "made"])
def test_several_inputs_go_in_and_all_outputs_come_out(
    given: list[str], output: str, several: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = [part for text in given for part in ("--input", text)]
    assert call("run", "several.onnx", "--backend", "golden", *inputs, "--output", output, "--json", "r.json") == 0
    assert "The outputs equal ONNX Runtime's in every bit." in capsys.readouterr().out
    expected = precise_session(Path("several.onnx")).run(None, dict(np.load("both.npz")))
    if output == "made":
        assert sorted(path.name for path in Path("made").iterdir()) == ["out_put.npy", "second.npy"]
        found = [np.load(f"made/{name}.npy") for name in ("out_put", "second")]
    else:
        found = list(np.load(output).values())
    assert [array.tobytes() for array in found] == [array.tobytes() for array in expected]
    total = json.loads(Path("r.json").read_text())["total"]
    assert total["macs_array"] == total["macs"] == 4 * 6 * 7 * 27
    assert (total["macs_host"], total["segments"]) == (0, 1)
    assert total["crossing_bytes"] == (3 + 4) * 6 * 7


def test_shapes_come_from_the_user(several: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["estimate"], ["run", "--backend", "golden"], ["run", "--backend", "timing"]):
        assert call(command[0], "several.onnx", *command[1:], "--shape", "x=2,3,5,4", "--json", "-") == 0
        assert json.loads(capsys.readouterr().out)["layers"][0]["macs"] == 2 * 4 * 5 * 4 * 27
    assert call("estimate", "several.onnx") == 2
    message = "wingrid: the sizes of input x are open: float32 [N, 3, H, W]; give them with --shape x=1,3,H,W"
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--input both.npz --input both.npz", "--input is given twice for the same input"),
        ("--input x=x.npy --input x=x.npy", "--input is given twice for x"),
        ("--input x.npy", "--input must say which of the model's inputs it is for: x: float32 [N, 3, H, W], gain: "),
        ("--shape 1,3,0,4", "--shape 1,3,0,4: 1,3,0,4 is no list of sizes above 0, such as 1,3,224,224"),
        ("--shape x=1,3,a,4", "--shape x=1,3,a,4: 1,3,a,4 is no list of sizes above 0"),
        (
            "--shape x=1,3,5,4 --input both.npz",
            "both.npz: array x holds [1, 3, 6, 7], not [1, 3, 5, 4] as --shape says",
        ),
        ("--output x.npy/made --input both.npz", "cannot write into x.npy/made: "),
    ],
)
def test_inputs_that_do_not_fit_are_refused_in_a_sentence(
    arguments: str, message: str, several: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(several.iterdir())
    assert call("run", "several.onnx", "--backend", "golden", *arguments.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"wingrid: {message}")
    assert error.count("\n") == 1
    assert sorted(several.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("run vgg16 --shape 1,3,9,9", "--shape is for .onnx files, and vgg16 has its own input shape"),
        ("estimate vgg16 --shape 1,3,9,9", "--shape is for .onnx files, and vgg16 has its own input shape"),
        ("run vgg16 --input x=x.npy", "--input takes one file without a name: the network is built in"),
    ],
)
def test_built_in_networks_have_one_input_of_their_own_shape(
    arguments: str, message: str, several: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments.split()) == 2
    assert capsys.readouterr().err.startswith(f"wingrid: {message}")


def test_a_model_of_host_nodes_alone_has_an_empty_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = Path(__file__).parents[1] / "onnx_models" / "cases" / "dynamic_int8.onnx"
    table = tmp_path / "layers.csv"
    for command in (["estimate"], ["run", "--backend", "golden"], ["run", "--backend", "timing"]):
        assert call(command[0], model, *command[1:], "--csv", table) == 0
        shown = capsys.readouterr().out
        assert "0.0% of the model's 202,752 multiply-adds on the array." in shown
        assert "wingrid quantize on the float model" in " ".join(shown.split())
        assert table.read_text() == ""
    assert call("estimate", model, "--set", "rows=4,8") == 0
    assert call("estimate", model, "--plot", tmp_path / "plot.png") == 2
    assert "nothing to draw" in capsys.readouterr().err


def test_the_kernels_that_judge_int8_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    model = Path(__file__).parents[1] / "onnx_models" / "cases" / "s8_defaults_residual.onnx"
    for options, share, judge in (
        ([], "100.0%", "The outputs equal ONNX Runtime's in every bit, with its int8 kernels (--int8-kernels)."),
        (["--no-int8-kernels"], "42.1%", "The outputs equal ONNX Runtime's in every bit."),
    ):
        assert call("run", model, "--backend", "golden", *options) == 0
        shown = capsys.readouterr().out
        assert f"{share} of the model's 350,208 multiply-adds on the array." in shown
        assert judge in shown
        assert ("what would change it: --int8-kernels" in " ".join(shown.split())) == bool(options)
        assert call("estimate", model, *options) == 0
        assert f"{share} of the model's 350,208 multiply-adds on the array." in capsys.readouterr().out
