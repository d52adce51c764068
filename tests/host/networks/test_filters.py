"""Filters and pictures: what comes out is what the formula says, and what is no picture is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wingrid.host.errors import UserError
from wingrid.host.networks.filters import BUILT_IN, Filter, extended, filter_layer, find_filter, from_values
from wingrid.host.networks.golden import golden
from wingrid.host.networks.pictures import fitted, from_activations, load_picture, save_picture, to_activations


def filtered(pixels: np.ndarray, kernel: Filter, stride: int = 1) -> np.ndarray:
    padded = extended(pixels, kernel)
    layer, operands = filter_layer(kernel, padded.shape[0], padded.shape[1], stride)
    return from_activations(golden(layer, operands, to_activations(padded)))


def by_formula(pixels: np.ndarray, kernel: Filter) -> np.ndarray:
    """In floating point, pixel by pixel; within one step of the result."""
    height, width = kernel.weights.shape
    margins = (((height - 1) // 2, height // 2), ((width - 1) // 2, width // 2), (0, 0))
    padded = np.pad(pixels.astype(float), margins, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(0, 1))
    result = np.einsum("yxcij,ij->yxc", windows, kernel.weights.astype(float)) * kernel.scale
    return np.clip(result + (128 if kernel.centred else 0), 0, 255)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_filter_follows_its_formula(name: str) -> None:
    pixels = load_picture("sample:flower")[100:160, 200:270]
    difference = filtered(pixels, BUILT_IN[name]).astype(float) - by_formula(pixels, BUILT_IN[name])
    assert np.abs(difference).max() <= 0.51


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_plain_picture_stays_plain(name: str) -> None:
    pixels = np.full((9, 11, 3), 77, np.uint8)
    expected = 128 if BUILT_IN[name].centred else 77
    assert (filtered(pixels, BUILT_IN[name]) == expected).all()


def test_gradients_point_along_their_axes() -> None:
    ramp = np.broadcast_to(np.arange(0, 200, 10, dtype=np.uint8)[None, :, None], (20, 20, 3))
    assert (filtered(ramp, BUILT_IN["sobel-x"])[:, 1:-1] == 128 + 10).all()
    assert (filtered(ramp, BUILT_IN["sobel-y"]) == 128).all()


def test_stride_keeps_every_second_pixel() -> None:
    pixels = load_picture("sample:china")[:31, :40]
    whole = filtered(pixels, BUILT_IN["gaussian"])
    assert np.array_equal(filtered(pixels, BUILT_IN["gaussian"], stride=2), whole[::2, ::2])


def test_a_kernel_of_real_numbers_is_rounded_to_8_bits() -> None:
    values = np.array([[0.1, -0.25], [0.5, 0.0]])
    kernel = from_values("mine", values)
    assert kernel.weights.max() == 127
    assert np.abs(kernel.weights * kernel.scale - values).max() <= 0.5 * kernel.scale


def test_a_kernel_of_small_integers_stays_as_it_is(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]))
    kernel = find_filter(str(tmp_path / "k.npy"))
    assert (kernel.scale, kernel.centred, kernel.weights[1, 1]) == (1.0, True, -4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 3)), "kernel k must hold finite numbers that are not all zero"),
        (np.full((3, 3), np.nan), "kernel k must hold finite numbers that are not all zero"),
        (np.ones(3), "kernel k must be a two-dimensional array of real numbers"),
        (np.ones((2, 2), complex), "kernel k must be a two-dimensional array of real numbers"),
        (np.ones((1, 256)), "kernel k has (1, 256) elements; at most 255 in a row or column"),
    ],
)
def test_kernels_that_cannot_be_are_refused(values: np.ndarray, message: str) -> None:
    with pytest.raises(UserError) as caught:
        from_values("k", values)
    assert str(caught.value) == message


def test_pictures_survive_the_way_out_and_in(tmp_path: Path) -> None:
    pixels = load_picture("sample:china")[:20, :30]
    save_picture(tmp_path / "picture.png", pixels)
    assert np.array_equal(load_picture(tmp_path / "picture.png"), pixels)
    assert np.array_equal(from_activations(to_activations(pixels)), pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]


def test_grey_and_transparent_pictures_become_rgb(tmp_path: Path) -> None:
    for mode in ("L", "RGBA", "P", "1"):
        path = tmp_path / f"{mode}.png"
        Image.new(mode, (5, 4)).save(path)
        assert load_picture(path).shape == (4, 5, 3)


def test_a_picture_is_cut_and_scaled_to_size() -> None:
    assert fitted(load_picture("sample:china"), 224, 224).shape == (224, 224, 3)
