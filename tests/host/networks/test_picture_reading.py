"""What people see in a picture is what comes out of it; what cannot be told is refused."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from wingrid.host.errors import UserError
from wingrid.host.networks.picture_reading import LARGEST_PICTURE, read_picture

RAMP = np.linspace(0, 255, 256).round().astype(np.uint8).reshape(16, 16)
COLOURS = np.random.default_rng(5).integers(0, 256, (6, 5, 3), np.uint8)


def saved(path: Path, image: Image.Image, **options: Any) -> npt.NDArray[np.uint8]:  # noqa: ANN401 (Pillow's)
    image.save(path, **options)
    return read_picture(path)


def grey(values: npt.NDArray) -> npt.NDArray[np.uint8]:
    return np.repeat(values[..., None], 3, axis=2)


@pytest.mark.parametrize("name", ["x.png", "x.tif", "x.pgm"])
def test_sixteen_bits_of_grey_become_eight(tmp_path: Path, name: str) -> None:
    picture = saved(tmp_path / name, Image.fromarray(RAMP.astype(np.uint16) * 257))
    assert np.array_equal(picture, grey(RAMP))


def test_sixteen_bits_of_the_other_order(tmp_path: Path) -> None:
    big = Image.frombytes("I;16B", (16, 16), (RAMP.astype(">u2") * 257).tobytes())
    assert np.array_equal(saved(tmp_path / "x.tif", big), grey(RAMP))


def test_floats_reach_from_black_to_white(tmp_path: Path) -> None:
    assert np.array_equal(saved(tmp_path / "x.tif", Image.fromarray(RAMP.astype(np.float32) / 255)), grey(RAMP))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0.0, 255.0]], r"floating-point values from 0 to 255, where 0 stands for black and 1 for white$"),
        ([[-1.0, 0.5]], r"floating-point values from -1 to 0\.5, "),
        ([[np.nan, 0.5]], r"floating-point values from nan to nan, "),
        ([[0.0, np.inf]], r"floating-point values from 0 to inf, "),
    ],
)
def test_floats_of_another_scale_are_refused(tmp_path: Path, values: list[list[float]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        saved(tmp_path / "x.tif", Image.fromarray(np.array(values, np.float32)))


def test_whole_numbers_of_32_bits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds 32-bit values from 0 to 1e\+06, where 0 stands for black and 65535"):
        saved(tmp_path / "x.tif", Image.fromarray(np.array([[0, 1_000_000]], np.int32)))


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 51]]], np.uint8)
    expected = [[[10, 20, 30], [255, 255, 255], [204, 204, 204]]]
    for name in ("x.png", "x.webp"):
        assert np.array_equal(saved(tmp_path / name, Image.fromarray(pixels), **{"lossless": True}), expected)
    two = Image.fromarray(np.array([[[0, 255], [100, 0]]], np.uint8), "LA")
    assert np.array_equal(saved(tmp_path / "la.png", two), [[[0] * 3, [255] * 3]])


def test_palettes(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    assert saved(tmp_path / "x.png", image).tolist() == [[[10, 20, 30], [40, 50, 60], [70, 80, 90]]]
    assert saved(tmp_path / "y.png", image, transparency=1).tolist() == [[[10, 20, 30], [255] * 3, [70, 80, 90]]]
    assert saved(tmp_path / "z.gif", image, transparency=2).tolist() == [[[10, 20, 30], [40, 50, 60], [255] * 3]]


def test_one_transparent_colour(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    assert saved(tmp_path / "x.png", image, transparency=(1, 2, 3)).tolist() == [[[255] * 3, [4, 5, 6]]]
    deep = Image.fromarray(np.array([[257, 514]], np.uint16))
    assert saved(tmp_path / "y.png", deep, transparency=257).tolist() == [[[255] * 3, [2] * 3]]


def test_one_bit(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[True, False]]))
    assert saved(tmp_path / "x.png", image).tolist() == [[[255] * 3, [0] * 3]]


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.tif"])
@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 3), (8, 1)])
def test_pictures_are_turned_as_the_camera_was_held(tmp_path: Path, name: str, orientation: int, turns: int) -> None:
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = saved(tmp_path / name, Image.fromarray(pixels), exif=exif, **({"quality": 95} if name == "x.jpg" else {}))
    assert np.array_equal(picture > 128, np.rot90(pixels > 128, turns))


@pytest.mark.parametrize("name", ["x.jpg", "x.tif"])
def test_inks_are_inks(tmp_path: Path, name: str) -> None:
    """JPEG files of four colours hold them inverted, as Adobe began it."""
    inks = np.zeros((8, 24, 4), np.uint8)
    inks[:, 8:16, 1:3] = 255  # magenta and yellow: red
    inks[:, 16:, 3] = 255  # black
    picture = saved(tmp_path / name, Image.fromarray(inks, "CMYK")).astype(int)
    for column, colour in ((3, (255, 255, 255)), (12, (255, 0, 0)), (20, (0, 0, 0))):
        assert np.abs(picture[4, column] - colour).max() < 10


def test_lab_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"x\.tif is in L\*a\*b\* colours, which are not converted; save it as RGB$"):
        saved(tmp_path / "x.tif", Image.new("LAB", (4, 4)))


@pytest.mark.parametrize("name", ["x.gif", "x.png", "x.webp", "x.tif"])
def test_several_pictures_are_not_one(tmp_path: Path, name: str) -> None:
    frames = [Image.fromarray(np.full((8, 8, 3), shade, np.uint8)) for shade in (0, 100, 200)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    with pytest.raises(UserError, match=r" holds 3 pictures, an animation or pages; one is wanted$"):
        read_picture(tmp_path / name)
    frames[1].save(tmp_path / name)
    assert read_picture(tmp_path / name).shape == (8, 8, 3)


def test_a_photograph_with_a_second_view_is_the_first(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((8, 8, 3), shade, np.uint8)) for shade in (200, 0)]
    frames[0].save(tmp_path / "x.mpo", save_all=True, append_images=frames[1:])
    assert abs(int(read_picture(tmp_path / "x.mpo").mean()) - 200) < 3


@pytest.mark.parametrize("side", [9_460, 13_500])
def test_huge_pictures_are_refused_before_they_are_unpacked(tmp_path: Path, side: int) -> None:
    assert side * side > LARGEST_PICTURE
    Image.new("1", (side, side)).save(tmp_path / "x.png")
    with pytest.raises(UserError, match=r"x\.png has .*more than 89,478,485"):
        read_picture(tmp_path / "x.png")


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.gif", "x.webp", "x.tif", "x.bmp"])
def test_damaged_files_are_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    content = io.BytesIO()
    noise = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(content, Image.registered_extensions()[Path(name).suffix])
    whole = content.getvalue()
    for cut in (0, 10, len(whole) // 2):
        (tmp_path / name).write_bytes(whole[:cut])
        with pytest.raises(UserError, match=rf"^(cannot read )?.*{name}(: | is no picture that can be read)"):
            read_picture(tmp_path / name)
    random = np.random.default_rng(4)
    for _ in range(30):
        broken = np.frombuffer(whole, np.uint8).copy()
        broken[random.integers(8, len(broken), 20)] = random.integers(0, 256, 20)
        (tmp_path / name).write_bytes(broken.tobytes())
        with contextlib.suppress(UserError):
            read_picture(tmp_path / name)


def test_archives_are_named() -> None:
    with pytest.raises(UserError, match=r"^x\.npz is an archive of arrays, where a picture or a \.npy file is wanted$"):
        read_picture("x.npz")
