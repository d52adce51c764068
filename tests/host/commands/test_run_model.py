"""The command line with ONNX models: digits on the RTL, files in and out, and refusals."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from command_calls import ON_SQUARE, call
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


def expected_from(path: Path, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    # Exact sums on every x86 processor; without, those that lack VNNI saturate.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


@pytest.mark.rtl
def test_digits_are_recognised_on_the_rtl(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "logits.npy"
    assert call("run", "digits", "--batch", 1, "--output", output, "--json", "-", *ON_SQUARE) == 0
    found = json.loads(capsys.readouterr().out)
    assert [layer["exact"] for layer in found["layers"]] == [True] * 8
    assert (found["onnxruntime_equal"], found["accuracy"]) == (True, {"images": 1, "correct": 1})
    assert {entry["operator"] for entry in found["host"]} == {"QuantizeLinear", "Flatten", "DequantizeLinear"}
    expected = expected_from(bundled_model(DIGITS), labelled_digits(1, "rtl").images)
    assert np.load(output).tobytes() == expected.tobytes()


@pytest.mark.rtl
def test_a_model_with_branches_runs_on_the_rtl(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "int8.onnx", "--input", "x.npy", "--output", "y.npy", "--json", "-", *ON_SQUARE) == 0
    found = json.loads(capsys.readouterr().out)
    assert {layer["exact"] for layer in found["layers"]} == {True}
    assert "QLinearAdd" in {entry["operator"] for entry in found["host"]}
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
        ("run digits --batch 501", "--batch 501 must lie between 1 and 500, the number of test digits"),
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
