"""``wingrid compress``: what comes out is the model with fewer weights and values, and the report tells the truth."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from awkward_models import KERNELS, model, node
from command_calls import call
from imported_graphs import differences, imported
from quantised_operators import one_operator, uniform

from wingrid.host.compression.model_weights import find_weights
from wingrid.host.onnx_models.bundled import bundled_model, labelled_digits
from wingrid.host.onnx_models.session import compute, open_session


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def weights_of(path: str | Path) -> dict[str, np.ndarray]:
    return {weights.layer: weights.codes for weights in find_weights(onnx.load(path))}


def test_digits_become_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    digits = labelled_digits(20, "golden")
    np.save("digits.npy", digits.images)
    asked = ["--density", "conv=0.5,/0/Conv=0.75", "--density", "fc=0.25", "--values", "15", "--values", "fc=7"]
    report = ["--json", "r.json", "--csv", "r.csv"]
    assert call("compress", "digits", *asked, "--calibration", "digits.npy", "-o", "small.onnx", *report) == 0
    shown = capsys.readouterr().out
    before, after = weights_of(bundled_model("digits")), weights_of("small.onnx")
    told = json.loads(Path("r.json").read_text())
    assert list(before) == list(after) == [layer["layer"] for layer in told["layers"]]
    for layer in told["layers"]:
        codes, name = after[layer["layer"]], layer["layer"]
        share = 0.25 if "Gemm" in name else 0.75 if name == "/0/Conv" else 0.5
        nonzero = np.count_nonzero(codes)
        # Sharing may round a small weight to zero.
        assert 0.99 * share < nonzero / codes.size <= share + 1 / codes.size
        assert layer["density"] == pytest.approx(nonzero / codes.size, abs=1e-6)
        assert layer["density_before"] == pytest.approx(np.count_nonzero(before[name]) / codes.size, abs=1e-6)
        assert layer["values"] == len(set(codes[codes != 0].tolist())) <= (7 if "Gemm" in name else 15)
        assert layer["dense_bytes"] == codes.size
        assert layer["alone"][0]["snr_db"] > told["outputs"][0]["snr_db"]
    assert told["total"]["huffman_bytes"] == sum(layer["huffman_bytes"] for layer in told["layers"])
    assert told["samples"] == 20
    assert 0.5 < told["agreement"] <= 1
    assert f"{told['agreement']:.2%}" in shown
    rows = list(csv.DictReader(Path("r.csv").read_text().splitlines()))
    assert [int(row["huffman_bytes"]) for row in rows] == [layer["huffman_bytes"] for layer in told["layers"]]
    # An ordinary model: it is imported, and the accelerator's arithmetic gives ONNX Runtime's bits.
    assert differences(imported(onnx.load("small.onnx"), digits.images), digits.images) == []


def test_the_largest_weights_stay_by_their_scales() -> None:
    """Magnitudes are those of real weights: a large code times a small scale may be less than a small code."""
    weights = np.array([[100, 1, 2, 3]] * 4, np.int8).reshape(4, 4, 1, 1)
    made = one_operator("QLinearConv", uniform(1, np.int8, (1, 4, 5, 5)), weights, np.zeros(4, np.int8), 4)
    scales = np.array([0.001, 1, 1, 1], np.float32)
    for tensor in made.graph.initializer:
        if tensor.name == "w_scale":
            tensor.CopyFrom(onnx.numpy_helper.from_array(scales, "w_scale"))
    onnx.save(made, "conv.onnx")
    assert call("compress", "conv.onnx", "--density", "0.75", "-o", "out.onnx") == 0
    found = weights_of("out.onnx")["layer"].reshape(4, 4)
    assert found.tolist() == [[0, 0, 0, 0], *[[100, 1, 2, 3]] * 3]


FORMS = {
    "conv": ("QLinearConv", (1, 4, 5, 5), (8, 4, 3, 3), {}),
    "matmul": ("QLinearMatMul", (3, 12), (12, 8), {}),
    "gemm": ("QGemm", (3, 12), (12, 8), {}),
    "gemm transposed": ("QGemm", (3, 12), (8, 12), {"transB": 1}),
}


@pytest.mark.parametrize("zeros", ["none", "per channel"])
@pytest.mark.parametrize("form", FORMS)
def test_weights_are_found_in_all_forms(form: str, zeros: str) -> None:
    operator, taken, shape, attributes = FORMS[form]
    per_channel = zeros != "none" and operator == "QLinearConv"
    dtype = np.uint8 if per_channel else np.int8
    zero = np.full(8, 128, np.uint8) if per_channel else np.int8(0)
    made = one_operator(operator, uniform(2, np.uint8, taken), uniform(3, dtype, shape), zero, 8, **attributes)
    onnx.save(made, "one.onnx")
    assert call("compress", "one.onnx", "--density", "0.5", "--values", "3", "-o", "out.onnx") == 0
    codes = weights_of("out.onnx")["layer"]
    assert np.count_nonzero(codes) <= codes.size / 2
    assert len(set(codes[codes != 0].tolist())) == 3
    # Nothing else of the model has changed.
    kept = [[t for t in m.graph.initializer if t.name != "w"] for m in (made, onnx.load("out.onnx"))]
    assert kept[0] == kept[1]


def test_without_settings_it_only_tells(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("compress", "digits", "-o", "same.onnx", "--json", "-") == 0
    told = json.loads(capsys.readouterr().out)
    before = weights_of(bundled_model("digits"))
    for name, codes in weights_of("same.onnx").items():
        assert np.array_equal(codes, before[name])
    assert {layer["alone"] for layer in told["layers"]} == {None}
    assert (told["outputs"], told["agreement"]) == ([], None)


def test_layers_beyond_int8_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    made = one_operator(
        "QLinearConv", uniform(4, np.uint8, (1, 4, 5, 5)), uniform(5, np.uint8, (8, 4, 3, 3)), np.uint8(0), 8
    )
    onnx.save(made, "wide.onnx")
    assert call("compress", "wide.onnx", "--density", "0.5", "-o", "out.onnx") == 2
    assert "has no layer with constant weights" in capsys.readouterr().err
    assert not Path("out.onnx").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--density", "0"], "--density 0: 0 is not a share above 0, at most 1"),
        (["--density", "fc=2"], "--density fc=2: 2 is not a share above 0, at most 1"),
        (["--density", "nan"], "--density nan: nan is not a share above 0, at most 1"),
        (["--density", "fc="], "--density fc=: nothing is not a share above 0, at most 1"),
        (["--density", "fc=0.1,fc=0.2"], "--density is given twice for fc"),
        (["--values", "1.5"], "--values 1.5: 1.5 is not a whole number from 1 to 255"),
        (["--values", "256"], "--values 256: 256 is not a whole number from 1 to 255"),
        (["--values", "fc7=3"], "--values fc7=...: no such layer; there are /0/Conv, /3/Conv"),
        (["--index-bits", "0"], "--index-bits 0 must lie between 1 and 16"),
        (["--samples", "3"], "--samples needs --calibration"),
        (["--calibration", "none.npz"], "none.npz"),
    ],
)
def test_bad_settings_are_a_sentence(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("compress", "digits", *arguments, "-o", "out.onnx") == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert not Path("out.onnx").exists()


def test_a_float_model_is_sent_to_quantize(capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(model([node("Conv", ["x", "w"], ["y"])], inputs={"x": [1, 4, 6, 6]}, w=KERNELS), "float.onnx")
    assert call("compress", "float.onnx", "-o", "out.onnx") == 2
    assert "wingrid quantize" in capsys.readouterr().err


def test_the_bundled_network_is_as_pruned_and_as_good_as_it_says() -> None:
    codes = weights_of(bundled_model("digits-compressed"))
    dense = weights_of(bundled_model("digits"))
    for name, share in {"/22/Gemm": 0.04, "/24/Gemm": 0.23}.items():
        found = codes.pop(name)
        assert share - 0.005 < np.count_nonzero(found) / found.size <= share + 0.001
        assert len(set(found[found != 0].tolist())) <= 15
        del dense[name]
    # Convolutions are those of digits.
    assert all(np.array_equal(codes[name], dense[name]) for name in {**codes, **dense})
    held_out = labelled_digits(500, "golden")
    right = {}
    for network in ("digits", "digits-compressed"):
        session = open_session(onnx.load(bundled_model(network)))
        scores = compute(session, {"x": held_out.images})["y"]
        right[network] = int((scores.argmax(axis=1) == held_out.labels).sum())
    assert right["digits-compressed"] >= right["digits"] - 2
