"""``wingrid quantize``: samples in all forms, what it reports, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from awkward_models import KERNELS, model, node, values
from command_calls import call
from PIL import Image

import wingrid
from wingrid.host.commands.progress import Bar

MEAN, SCALE = (120.0, 110.0, 100.0), (60.0, 50.0, 40.0)
PIXELS = np.random.default_rng(3).integers(0, 256, (3, 8, 8, 3), np.uint8)


def convolution(shape: list[int | str], channels: int, name: str) -> None:
    made = model([node("Conv", ["x", "w"], ["y"])], inputs={"x": shape}, w=KERNELS[:, :channels])
    onnx.save(made, name)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Models for pictures and of two inputs, and samples for them in all forms; in the current folder."""
    monkeypatch.chdir(tmp_path)
    convolution(["N", 3, 8, 8], 3, "colours.onnx")
    convolution(["N", 3, "H", "W"], 3, "open.onnx")
    convolution(["N", 1, 8, 8], 1, "grey.onnx")
    convolution([2, 3, 8, 8], 3, "pairs.onnx")
    two = model(
        [node("Conv", ["x", "w"], ["a"]), node("Conv", ["z", "v"], ["b"]), node("Add", ["a", "b"], ["y"])],
        inputs={"x": ["N", 4, 6, 6], "z": ["N", 4, 6, 6]},
        w=KERNELS,
        v=KERNELS,
    )
    onnx.save(two, "two.onnx")
    for folder in ("pictures", "arrays", "archives", "mixed", "broken", "sizes", "nothing"):
        (tmp_path / folder).mkdir()
    x, z = values(3, 4, 6, 6), values(3, 4, 6, 6)
    for index, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(f"pictures/{index}.png")
        np.save(f"arrays/{index}.npy", as_input(PIXELS[index : index + 1]))
        np.savez(f"archives/{index}.npz", x=x[index], z=z[index : index + 1])
    (tmp_path / "pictures" / "notes.txt").write_text("where they are from")
    np.savez("pixels.npz", x=as_input(PIXELS))
    np.savez("both.npz", x=x, z=z)
    np.save("x.npy", x)
    np.save("z.npy", z)
    np.save("fewer.npy", z[:2])
    np.save("mixed/0.npy", x)
    Image.fromarray(PIXELS[0]).save("mixed/1.png")
    (tmp_path / "broken" / "1.png").write_bytes(b"no picture")
    for side in (8, 12):
        Image.fromarray(np.resize(PIXELS[0], (side, side, 3))).save(f"sizes/{side}.png")
    return tmp_path


def as_input(pixels: np.ndarray) -> np.ndarray:
    """The definition: less the mean, by the scale, colours first."""
    values = (pixels.astype(np.float32) - np.float32(MEAN)) / np.float32(SCALE)
    return values.transpose(0, 3, 1, 2)


AS_TRAINED = ("--mean", "120,110,100", "--scale", "60,50,40")


def quantize(network: str, *arguments: str) -> bytes:
    assert call("quantize", network, *arguments, "-o", "out.onnx") == 0
    return Path("out.onnx").read_bytes()


def test_pictures_and_arrays_of_the_same_values_give_the_same_model(files: Path) -> None:
    expected = quantize("colours.onnx", "--calibration", "pixels.npz")
    assert quantize("colours.onnx", "--calibration", "pictures", *AS_TRAINED) == expected
    assert quantize("colours.onnx", "--calibration", "arrays") == expected
    assert quantize("colours.onnx", "--calibration", "x=pixels.npz") == expected
    assert wingrid.quantize("colours.onnx", {"x": as_input(PIXELS)}) == expected
    assert wingrid.quantize("colours.onnx", files / "pictures", mean=MEAN, scale=SCALE) == expected
    assert quantize("colours.onnx", "--calibration", "pictures") != expected


def test_several_inputs_come_from_archives_or_by_name(files: Path) -> None:
    expected = quantize("two.onnx", "--calibration", "both.npz")
    assert quantize("two.onnx", "--calibration", "archives") == expected
    assert quantize("two.onnx", "--calibration", "x=x.npy", "--calibration", "z=z.npy") == expected


def test_pictures_are_brought_to_the_shape_or_keep_their_own(files: Path) -> None:
    quantize("open.onnx", "--calibration", "sizes")
    quantize("open.onnx", "--calibration", "sizes", "--shape", "2,3,8,10")
    quantize("grey.onnx", "--calibration", "pictures", "--mean", "127.5", "--scale", "127.5")
    convolution([2, 3, "H", "W"], 3, "pairs.onnx")
    with pytest.raises(wingrid.UserError, match=r"go in together, and must be made one size with --shape$"):
        wingrid.quantize("pairs.onnx", "sizes")


def test_a_fixed_batch_is_filled(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quantize("pairs.onnx", "--calibration", "pictures")
    assert "(minmax, 1 sample)" in capsys.readouterr().out


def test_the_report_tells_ratios_the_share_and_what_was_passed_over(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quantize("colours.onnx", "--calibration", "pictures", "--samples", "2")
    shown = capsys.readouterr()
    assert "colours.onnx in int8 against float (minmax, 2 samples)" in shown.out
    assert "100.0% of the model's 3,888 multiply-adds on the array." in shown.out
    assert "Passed over in pictures: notes.txt." in shown.out
    assert shown.err == ""
    quantize("colours.onnx", "--calibration", "pictures", "--json", "-")
    found = json.loads(capsys.readouterr().out)
    assert (found["network"], found["method"], found["samples"], found["compared"]) == ("colours.onnx", "minmax", 3, 3)
    (output,) = found["outputs"]
    assert (output["name"], output["operator"], output["equal"]) == ("y", "Conv", False)
    assert output["snr_db"] > 30
    assert output["cosine"] > 0.999
    (layer,) = found["worst_layers"]
    assert (layer["name"], layer["operator"]) == ("y", "Conv")
    assert (found["macs_array"], found["macs_host"], found["share_of_array"]) == (3888, 0, 1.0)


def test_progress_counts_samples(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[object] = []
    monkeypatch.setattr(Bar, "expect", lambda bar, count: heard.append(count))
    monkeypatch.setattr(Bar, "simulated", lambda bar, what, count: heard.append((what, count)))
    quantize("colours.onnx", "--calibration", "pictures", "--method", "percentile", "--samples", "2")
    rounds = [(what, count) for what in ("ranges", "histograms", "comparing") for count in (1, 2)]
    assert heard == [6, *rounds]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("colours.onnx --calibration broken", "broken/1.png is no picture that can be read"),
        ("colours.onnx --calibration nothing", "nothing holds no pictures, no .npy and no .npz files"),
        ("colours.onnx --calibration mixed", "mixed holds .npy files and pictures, and calibration takes files of one"),
        ("colours.onnx --calibration absent", "cannot read absent: there is no such file or folder"),
        ("colours.onnx --calibration pictures --samples 0", "--samples 0 must be at least 1"),
        ("colours.onnx --calibration pictures --mean 1,2", "--mean 1,2 is neither a number nor three with commas"),
        ("colours.onnx --calibration pictures --scale 0", "--mean and --scale take finite numbers, and no scale is 0"),
        ("colours.onnx --calibration pictures --layout hwc", "--layout hwc is none of nchw, nhwc"),
        ("colours.onnx --calibration pictures --layout nhwc", "input x takes no pictures: it is float32 [N, 3, 8, 8]"),
        ("colours.onnx --calibration pictures --method mean", "--method mean is none of minmax, entropy, percentile"),
        ("colours.onnx --calibration pictures --percentile 50", "--percentile 50 must lie above 50, and at most at"),
        ("colours.onnx --calibration pictures --shape 1,3,9,9", "--shape: input x must be float32 [N, 3, 8, 8], not"),
        ("colours.onnx --calibration arrays --scale 1", "--mean, --scale and --layout are for pictures, and there are"),
        ("colours.onnx --calibration z=arrays", "--calibration: the model has no input z; it takes x: float32 [N, 3,"),
        ("grey.onnx --calibration pictures --mean 1,2,3", "--mean has 3 numbers, and input x has 1 colours"),
        ("two.onnx --calibration x=x.npy", "calibration lacks samples of z"),
        ("two.onnx --calibration x.npy", "--calibration must say which of the model's inputs it is for: x: float32"),
        ("two.onnx --calibration x=x.npy --calibration z=fewer.npy", "calibration needs as many samples of one input"),
        ("two.onnx --calibration both.npz --calibration z=z.npy", "both.npz holds all inputs, and others cannot be"),
        ("two.onnx --calibration x=x.npy --calibration x=x.npy", "--calibration is given twice for x"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(
    arguments: str, message: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(files.iterdir())
    assert call("quantize", *arguments.split(), "-o", "out.onnx") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"wingrid: {message}")
    assert error.count("\n") == 1
    assert sorted(files.iterdir()) == before


def test_the_output_is_refused_before_anything_is_read(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("quantize", "absent.onnx", "--calibration", "absent", "-o", "none/out.onnx") == 2
    assert capsys.readouterr().err == "wingrid: cannot write none/out.onnx: none is no folder\n"
