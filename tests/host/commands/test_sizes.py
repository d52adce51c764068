"""What is too large is refused before memory is spent on it."""

from __future__ import annotations

import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from command_calls import call
from onnx import TensorProto, helper
from PIL import Image

from wingrid.host.compiler.memory_map import require_reachable
from wingrid.host.networks.built_in import find
from wingrid.host.networks.layer import LayerError
from wingrid.host.onnx_models.picture_tiles import Tiling
from wingrid.hw.config import AcceleratorConfig

ROOM = 40_000_000
"""Bytes that a refusal may take: a few imports."""

HUGE = (1 << 15, 1 << 15, 1 << 10)


def header(path: Path, kind: str, shape: tuple[int, ...], size: int = 0) -> None:
    """A .npy file that promises an array, and has room for ``size`` bytes of it, which take none on the disk."""
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
        file.truncate(file.tell() + size)


def wide_model(path: Path, shape: list[int | str]) -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", values[:1], values[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    header(tmp_path / "promise.npy", "<f8", HUGE)
    header(tmp_path / "sparse.npy", "|i1", HUGE, 1 << 40)
    with zipfile.ZipFile(tmp_path / "promise.npz", "w") as archive:
        archive.write(tmp_path / "promise.npy", "x.npy")
    wide_model(tmp_path / "wide.onnx", [1, 3, 1 << 20, 1 << 20])
    wide_model(tmp_path / "open.onnx", ["N", 3, 8, 8])
    Image.new("RGB", (9, 8)).save(tmp_path / "small.png")
    monkeypatch.chdir(tmp_path)
    call("networks", "vgg16")  # what every command imports
    tracemalloc.start()
    yield tmp_path
    tracemalloc.stop()


REACH = "more than 32 address bits reach"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("matmul 100000 100000 100000", REACH),
        ("matmul 100000 100000 100000 --backend golden", REACH),
        ("matmul 4000000000 2 2 --backend timing", REACH),
        ("run vgg16 --batch 1000000", REACH),
        ("run vgg16 --batch 1000000 --backend golden --layers conv3_1", REACH),
        ("estimate vgg16 --batch 1000000", REACH),
        ("networks vgg16 --footprint --batch 1000000", REACH),
        ("run vgg16 --input promise.npy", "promise.npy is no .npy file of numbers"),
        ("run vgg16 --input sparse.npy", "sparse.npy must hold int8 [1, 3, 224, 224], not int8 [32768, 32768, 1024]"),
        ("run digits --input sparse.npy", "sparse.npy of int8 [32768, 32768, 1024] takes 1099511627776 bytes, and at"),
        ("filter small.png -k promise.npy -o out.png", "kernel promise.npy is no .npy file of numbers"),
        ("filter small.png -k sparse.npy -o out.png", "kernel sparse must be a two-dimensional array"),
        ("quantize open.onnx --calibration promise.npz -o out.onnx", "promise.npz: array x of float64 [32768, "),
        ("estimate wide.onnx --assume-int8", "would take more than 2147483648 bytes"),
        ("estimate open.onnx --assume-int8 --batch 1000000000", "and at most 4294967296 can be used"),
        (
            "estimate vgg16 " + " ".join(f"--set f{field}=1,2,3,4,5,6,7,8" for field in range(9)),
            "the settings make 134217728 combinations, more than 100000",
        ),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_made(
    arguments: str, message: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments.split()) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert tracemalloc.get_traced_memory()[1] < ROOM


def test_tiles_are_no_larger_than_the_picture(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the picture is the same as with any other size of tiles."""
    sides = []
    whole = Tiling.cut

    def cut(tiling: Tiling, pixels: np.ndarray) -> np.ndarray:
        sides.append(tiling.side)
        return whole(tiling, pixels)

    monkeypatch.setattr(Tiling, "cut", cut)
    noise = np.random.default_rng(2).integers(0, 256, (12, 20, 3), np.uint8)
    Image.fromarray(noise).save("noise.png")
    pictures = []
    for tile in (8, 100_000_000):
        options = f"--backend golden --input noise.png --tile {tile} --output {tile}.png"
        assert call("run", "waifu2x", *options.split()) == 0
        pictures.append(np.array(Image.open(f"{tile}.png")))
    assert sides == [8 + 14, 20 + 14]
    assert np.array_equal(*pictures)


def test_many_small_tiles_are_refused_too(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (5000, 5000)).save("large.png")
    assert call("run", "waifu2x", "--input", "large.png", "--output", "out.png", "--tile", "1") == 2
    assert "of shape [25000000, 3, 15, 15] would take more than 2147483648 bytes" in capsys.readouterr().err


def test_a_batch_that_fits_is_not_refused() -> None:
    """The largest of VGG-16's layers takes 4.01 MB an image."""
    for layer in find("vgg16").layers(1000):
        require_reachable(layer, AcceleratorConfig())
    first = find("vgg16").layers(1100)[0]
    with pytest.raises(LayerError, match=r"^layer conv1_1: its tensors take 4415489728 bytes or more, more than 32 "):
        require_reachable(first, AcceleratorConfig())
