"""Pictures through ONNX models: tiles are seamless, and what is written is the model's output."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from command_calls import ON_SQUARE, call
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from wingrid.host.onnx_models.picture_tiles import Tiling


def smoothing_model(folder: Path, *, stride: int = 1) -> Path:
    """Two 3x3 convolutions without padding with a leaky ReLU between them, for one picture of any size; in float."""
    random = np.random.default_rng(8)
    first, second = random.normal(0, 0.2, (4, 3, 3, 3)), random.normal(0, 0.2, (3, 4, 3, 3))
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["a"], name="first"),
        helper.make_node("LeakyRelu", ["a"], ["b"], name="leaky", alpha=0.1),
        helper.make_node("Conv", ["b", "second"], ["y"], name="second", strides=[stride] * 2),
    ]
    graph = helper.make_graph(
        nodes,
        "smoothing",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, "h2", "w2"])],
        [numpy_helper.from_array(w.astype(np.float32), name) for name, w in (("first", first), ("second", second))],
    )
    path = folder / "float.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture of 23 x 17 pixels, and a model for pictures, quantised."""
    pixels = np.random.default_rng(9).integers(0, 256, (17, 23, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    monkeypatch.chdir(tmp_path)
    np.savez("samples.npz", np.random.default_rng(2).uniform(0, 1, (4, 3, 20, 20)).astype(np.float32))
    smoothing_model(tmp_path)
    assert call("quantize", "float.onnx", "--calibration", "samples.npz", "-o", "int8.onnx") == 0
    return tmp_path


def test_cutting_and_joining_are_inverse() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (19, 30, 3), np.uint8)
    tiling = Tiling(19, 30, core=8, margin=3)
    tiles = tiling.cut(pixels)
    assert tiles.shape == (3 * 4, 3, 14, 14)
    assert np.array_equal(tiling.join(tiles[:, :, 3:-3, 3:-3]), pixels)


def test_the_picture_does_not_depend_on_the_tiles(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = {}
    for side in (5, 8, 64):
        name = f"made{side}.png"
        options = ["--input", "picture.png", "--output", name, "--tile", side, "--backend", "golden"]
        assert call("run", "int8.onnx", *options) == 0
        assert "The outputs equal ONNX Runtime's in every bit." in capsys.readouterr().out
        pictures[side] = np.array(Image.open(name))
    assert pictures[64].shape == (17, 23, 3)
    assert len(np.unique(pictures[64])) > 20
    assert np.array_equal(pictures[5], pictures[64])
    assert np.array_equal(pictures[8], pictures[64])


@pytest.mark.rtl
def test_tiles_are_a_batch_on_the_rtl(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golden = ["--input", "picture.png", "--output", "golden.png", "--tile", 12, "--backend", "golden"]
    assert call("run", "int8.onnx", *golden) == 0
    capsys.readouterr()
    options = ["--input", "picture.png", "--output", "rtl.png", "--tile", 12, "--json", "-"]
    assert call("run", "int8.onnx", *options, *ON_SQUARE) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(layer["name"], layer["exact"]) for layer in found["layers"]] == [("first", True), ("second", True)]
    assert found["layers"][0]["macs"] == 4 * 14 * 14 * 4 * 3 * 9
    assert found["onnxruntime_equal"] is True
    assert [entry["operator"] for entry in found["host"]] == ["QuantizeLinear", "QLinearLeakyRelu", "DequantizeLinear"]
    assert np.array_equal(np.array(Image.open("rtl.png")), np.array(Image.open("golden.png")))


def test_waifu2x_cleans_a_picture_as_onnxruntime_does(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "waifu2x", "--input", "picture.png", "--output", "out.png", "--backend", "golden") == 0
    shown = capsys.readouterr().out
    assert "6 QLinearLeakyRelu" in shown
    assert "The outputs equal ONNX Runtime's in every bit." in shown
    assert np.array(Image.open("out.png")).shape == (17, 23, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--output out.png", "to write a picture, give one with --input, and neither --layers nor --batch nor --shape"),
        ("--input picture.png --output out.png --batch 2", "to write a picture, give one with --input, and neither"),
        ("--input picture.png --output out.png --tile 0", "--tile 0 must be at least 1"),
        ("--input picture.png --output out.txt", "cannot write out.txt: .txt stands for no picture format"),
        ("--input absent.png --output out.png", "cannot read absent.png: No such file or directory"),
    ],
)
def test_bad_input_is_refused(arguments: str, message: str, files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(files.iterdir())
    assert call("run", "int8.onnx", *arguments.split(), "--backend", "golden") == 2
    assert capsys.readouterr().err.startswith(f"wingrid: {message}")
    assert sorted(files.iterdir()) == before


def test_a_model_that_shrinks_pictures_cannot_write_one(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smoothing_model(files, stride=2)
    assert call("quantize", "float.onnx", "--calibration", "samples.npz", "-o", "half.onnx") == 0
    assert call("run", "half.onnx", "--input", "picture.png", "--output", "out.png", "--backend", "golden") == 2
    assert (
        "the model makes [1, 3, 30, 30] of [1, 3, 64, 64], [1, 3, 38, 38] of [1, 3, 80, 80]: to write a picture"
        in capsys.readouterr().err
    )
    assert not Path("out.png").exists()
