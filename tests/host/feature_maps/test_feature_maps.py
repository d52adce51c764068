"""Contact sheets, receptive fields and exciting patches, judged by what the golden model computes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_calls import ON_SQUARE, call
from PIL import Image

from wingrid import exciting_patches, show
from wingrid.host.execution.network_jobs import network_jobs
from wingrid.host.feature_maps.contact_sheet import Section, Tile, contact_sheet
from wingrid.host.feature_maps.layer_sheet import response_pixels
from wingrid.host.feature_maps.receptive_field import AxisField, ReceptiveField, field_in_chain, field_in_graph
from wingrid.host.networks.built_in import find
from wingrid.host.networks.gabor96 import GABOR96, gabor_filters
from wingrid.host.networks.network import Convolve, MaxPool, Network
from wingrid.host.networks.pictures import fitted, load_picture, to_activations
from wingrid.host.onnx_models.model_estimate import imported_for_estimate
from wingrid.hw.config import AcceleratorConfig

STRIDED = Network(
    "strided",
    "a test",
    3,
    24,
    30,
    (
        Convolve("one", 4, kernel=3, stride=2, padding=1),
        MaxPool("pool", kernel=3, stride=2),
        Convolve("two", 5, kernel=3, padding=1),
    ),
)


def contains(sheet: np.ndarray, tile: np.ndarray) -> bool:
    """Whether the sheet shows the tile somewhere, pixel by pixel."""
    height, width = tile.shape[:2]
    # Where a pixel like few others would be.
    row, column = np.unravel_index(np.abs(tile.astype(int).sum(axis=2) - 384).argmax(), (height, width))
    places = np.argwhere((sheet == tile[row, column]).all(axis=-1)) - [row, column]
    return any(
        top >= 0 and left >= 0 and np.array_equal(sheet[top : top + height, left : left + width], tile)
        for top, left in places
    )


def test_the_sheet_shows_each_tile_as_it_is() -> None:
    random = np.random.default_rng(3)
    tiles = [random.integers(0, 256, (30, 41, 3), np.uint8) for _ in range(5)]
    sheet = contact_sheet("five", [Section("all", [Tile(pixels, str(i)) for i, pixels in enumerate(tiles)])])
    assert all(contains(sheet, pixels) for pixels in tiles)
    assert not contains(sheet, tiles[0][::-1])


def test_small_tiles_are_magnified_and_large_ones_reduced() -> None:
    small = np.array([[[0, 0, 0], [255, 0, 0]]], np.uint8)
    large = np.full((300, 100, 3), 77, np.uint8)
    sheet = contact_sheet("two", [Section("", [Tile(small, "")]), Section("", [Tile(large, "")])])
    assert contains(sheet, small.repeat(14, axis=0).repeat(14, axis=1))
    assert contains(sheet, np.full((112, 37, 3), 77, np.uint8))


def test_fields_are_those_of_vgg16() -> None:
    """Sides that the literature gives: 3 for conv1_1, 24 for conv3_1, 196 for conv5_3, and 212 behind its pooling."""
    layers = find("vgg16").layers()
    sides = {layer.name: field_in_chain(layers[: index + 1]).down.size for index, layer in enumerate(layers)}
    assert (sides["conv1_1"], sides["conv3_1"], sides["conv5_3"]) == (3, 24, 196 + 16)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 3), (4, 5)])
def test_an_output_depends_on_its_field_and_on_nothing_else(row: int, column: int) -> None:
    random = np.random.default_rng(11)
    x = random.integers(-128, 128, (1, 3, STRIDED.height, STRIDED.width), np.int8)
    field = field_in_chain(STRIDED.layers())

    def answers(picture: np.ndarray) -> np.ndarray:
        (job,) = network_jobs(STRIDED, picture, ["two"])
        assert job.expected is not None
        return job.expected[0, :, row, column]

    inside = np.zeros((STRIDED.height, STRIDED.width), bool)
    (top, bottom), (left, right) = field.down.pixels(row), field.across.pixels(column)
    inside[max(0, top) : bottom, max(0, left) : right] = True
    other = random.integers(-128, 128, x.shape, np.int8)
    assert np.array_equal(answers(np.where(inside, x, other)), answers(x))
    if top < 0 or left < 0 or bottom > STRIDED.height or right > STRIDED.width:
        return
    for edge in (
        np.s_[top, left:right],
        np.s_[bottom - 1, left:right],
        np.s_[top:bottom, left],
        np.s_[top:bottom, right - 1],
    ):
        changed = x.copy()
        changed[0][:, *edge] = np.where(x[0][:, *edge] < 0, 127, -128)
        assert not np.array_equal(answers(changed), answers(x))


def test_fields_go_through_the_host_s_pointwise_steps_and_end_at_others() -> None:
    graph = imported_for_estimate("digits", AcceleratorConfig())
    names = [step.name for step in graph.accelerated]
    assert field_in_graph(graph, names[0]) == ReceptiveField(AxisField(-1, 1, 3), AxisField(-1, 1, 3))
    assert field_in_graph(graph, names[2]) == field_in_chain(graph.layers[:3])
    assert field_in_graph(graph, names[-1]) is None
    through_leaky_relu = imported_for_estimate("waifu2x", AcceleratorConfig())
    assert field_in_graph(through_leaky_relu, "c6") == ReceptiveField(AxisField(0, 1, 15), AxisField(0, 1, 15))


def test_the_96_filters_are_waves_of_no_brightness() -> None:
    filters = gabor_filters()
    assert filters.shape == (96, 3, 11, 11)
    assert len({weights.tobytes() for weights in filters}) == 96
    assert (np.abs(filters.astype(int)).max(axis=(1, 2, 3)) == 127).all()
    assert (np.abs(filters.astype(int).sum(axis=(1, 2, 3))) <= 0.02 * np.abs(filters.astype(int)).sum((1, 2, 3))).all()


def test_each_filter_answers_most_to_itself() -> None:
    """Among all 96, by normalised correlation with int8 filters as pictures."""
    flat = gabor_filters().reshape(96, -1).astype(float)
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    assert ((unit @ unit.T).argmax(axis=1) == np.arange(96)).all()


def waves(seed: int) -> np.ndarray:
    """A picture, uint8 [300, 300, 3], of a few waves of random directions, lengths and colours."""
    random = np.random.default_rng(seed)
    down, right = np.mgrid[:300, :300]
    picture = np.full((300, 300, 3), 128.0)
    for _ in range(4):
        turn, length = random.uniform(0, np.pi), random.uniform(3, 30)
        wave = np.cos((right * np.cos(turn) + down * np.sin(turn)) * 2 * np.pi / length)
        picture += 20 * random.uniform(0, 1, 3) * (wave * np.exp(-((down - 150) ** 2) / 8000))[..., None]
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def test_a_sheet_of_the_gabor_bank_shows_golden_responses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "waves.png", tmp_path / "sheet.png"
    Image.fromarray(waves(0)).save(source)
    assert call("show", "gabor96", "gabor", "--backend", "golden", "--input", source, "-o", out) == 0
    sheet = np.array(Image.open(out))
    pixels = fitted(load_picture(source), 227, 227)
    (job,) = network_jobs(GABOR96, to_activations(pixels), ["gabor"])
    assert job.expected is not None
    assert job.expected.shape == (1, 96, 55, 55)
    for channel in (0, 40, 95):
        assert contains(sheet, response_pixels(job.expected[0, channel], 0))
        weights = job.operands.weights[channel].astype(float)
        tile = np.rint(127.5 + 127.5 * weights / 127).astype(np.uint8).transpose(1, 2, 0)
        assert contains(sheet, tile.repeat(3, axis=0).repeat(3, axis=1))


@pytest.mark.rtl
def test_what_the_rtl_shows_is_what_golden_shows() -> None:
    fields = dict(option.removeprefix("--set=").split("=") for option in ON_SQUARE)
    on_rtl = show("digits", "/14/Conv", **fields)
    assert on_rtl.result.layers[0].exact
    assert on_rtl.result.layers[0].timing_equal
    on_golden = show("digits", "/14/Conv", backend="golden", **fields)
    # The title names the backend.
    assert np.array_equal(on_rtl.pixels[30:], on_golden.pixels[30:])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(3):
        Image.fromarray(waves(seed)).save(folder / f"{seed}.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_the_patches_are_those_of_the_largest_responses(pictures: Path) -> None:
    found = exciting_patches("gabor96", "gabor", pictures, channels=[3, 50], most=2, backend="golden")
    peaks = []
    for path in sorted(pictures.glob("*.png")):
        pixels = fitted(load_picture(path), 227, 227)
        (job,) = network_jobs(GABOR96, to_activations(pixels), ["gabor"])
        assert job.expected is not None
        y = job.expected[0, 3]
        row, column = np.unravel_index(int(y.argmax()), y.shape)
        patch = pixels[4 * row : 4 * row + 11, 4 * column : 4 * column + 11]
        peaks.append((int(y.max()), str(path), patch))
    peaks.sort(key=lambda peak: -peak[0])
    mine = [patch for patch in found.patches if patch.channel == 3]
    assert [(patch.response, patch.picture) for patch in mine] == [(peak[0], peak[1]) for peak in peaks[:2]]
    for patch, peak in zip(mine, peaks, strict=False):
        assert np.array_equal(patch.pixels, peak[2])
    assert [patch.channel for patch in found.patches] == [3, 3, 50, 50]


def test_a_folder_gives_patches_as_json(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "patches.png"
    arguments = f"show gabor96 gabor --input {pictures} --channels 7 --patches 2 --backend golden -o {out} --json -"
    assert call(*arguments.split()) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["network"], found["layer"], found["pictures"], found["exact"]) == ("gabor96", "gabor", 3, None)
    assert [(entry["channel"], entry["height"], entry["width"]) for entry in found["patches"]] == [(7, 11, 11)] * 2
    assert found["patches"][0]["response"] >= found["patches"][1]["response"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("gabor96 gabour -o a.png", "network gabor96 has no layer 'gabour'; it has gabor"),
        ("vgg conv1_1 -o a.png", "unknown network 'vgg'; built in are "),
        ("digits conv9 -o a.png --backend golden", "network digits has no layer 'conv9'; it has /0/Conv, "),
        ("gabor96 gabor -o a.txt", "cannot write a.txt: .txt stands for no picture format"),
        ("gabor96 gabor -o a.png --backend timing", "show needs a backend that computes values"),
        ("gabor96 gabor -o a.png --input absent.png", "cannot read absent.png: No such file or directory"),
        ("gabor96 gabor -o a.png --channels 3", "--channels is for a folder of pictures, and sample:flower is none"),
        ("gabor96 gabor -o a.png --input . --channels x", "--channels x is no list of numbers, such as 0,5,7"),
        ("gabor96 gabor -o a.png --input .", ". holds no pictures"),
        ("gabor96 gabor -o a.png --input . --patches 0", "--patches 0 must be at least 1"),
        (
            "gabor96 gabor -o a.png --input pictures --backend golden --channels 1,96",
            "channels 96 must lie between 0 and 95",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_refused(
    arguments: str,
    message: str,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert call("show", *arguments.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"wingrid: {message}")
    assert error.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
