"""Shapes and values of a model's inputs: from what it fixes, what the user says, files, and noise."""

import re
from pathlib import Path

import numpy as np
import pytest

from wingrid.host.errors import UserError
from wingrid.host.onnx_models.inputs import model_inputs
from wingrid.host.onnx_models.shapes import OpenType
from wingrid.host.onnx_models.sizes import NOTHING_SAID, ONLY, Sizes, input_shapes

F32, I64, U8 = (np.dtype(kind) for kind in (np.float32, np.int64, np.uint8))
PICTURE = OpenType(F32, ("N", 3, "H", "W"))
PAIR = {"x": PICTURE, "mask": OpenType(F32, ("N", 1, "H", "W")), "scale": OpenType(F32, (2,))}


@pytest.mark.parametrize(
    ("inputs", "sizes", "shapes"),
    [
        ({"x": OpenType(F32, ("N", 3, 8, 8))}, NOTHING_SAID, [(1, 3, 8, 8)]),
        ({"x": OpenType(F32, (None, 3, 8, 8))}, Sizes(images=4), [(4, 3, 8, 8)]),
        ({"x": OpenType(F32, (5, 3, 8, 8))}, NOTHING_SAID, [(5, 3, 8, 8)]),
        ({"x": OpenType(F32, (5, 3, 8, 8))}, Sizes(images=5), [(5, 3, 8, 8)]),
        ({"x": PICTURE}, Sizes({ONLY: (1, 3, 9, 7)}), [(1, 3, 9, 7)]),
        ({"x": OpenType(F32, None)}, Sizes({"x": (2, 6)}), [(2, 6)]),
        (PAIR, Sizes({"x": (2, 3, 9, 7)}), [(2, 3, 9, 7), (2, 1, 9, 7), (2,)]),
        ({"x": PICTURE, "n": OpenType(I64, ())}, Sizes({"x": (1, 3, 9, 7)}), [(1, 3, 9, 7), ()]),
        # Names that stand for several sizes say nothing.
        (
            {"x": OpenType(F32, (1, 3, "?", "?")), "y": OpenType(F32, (1, "?"))},
            Sizes({"x": (1, 3, 4, 5), "y": (1, 6)}),
            [(1, 3, 4, 5), (1, 6)],
        ),
    ],
)
def test_shapes_follow_from_what_is_fixed_and_what_is_said(
    inputs: dict[str, OpenType], sizes: Sizes, shapes: list[tuple[int, ...]]
) -> None:
    assert input_shapes(inputs, sizes) == dict(zip(inputs, shapes, strict=True))


@pytest.mark.parametrize(
    ("inputs", "sizes", "message"),
    [
        (
            {"x": PICTURE},
            NOTHING_SAID,
            "the sizes of input x are open: float32 [N, 3, H, W]; give them with --shape x=1,3,H,W",
        ),
        (
            {"a/b": OpenType(F32, (None, 3, None, 8))},
            NOTHING_SAID,
            "the sizes of input a/b are open: float32 [?, 3, ?, 8]; give them with --shape a/b=1,3,?,8",
        ),
        ({"x": OpenType(F32, None)}, NOTHING_SAID, "the sizes of input x are open: float32 of any shape; give them"),
        (
            {"x": PICTURE},
            Sizes({ONLY: (1, 4, 9, 7)}),
            "--shape: input x must be float32 [N, 3, H, W], not [1, 4, 9, 7]",
        ),
        ({"x": PICTURE}, Sizes({ONLY: (3, 9, 7)}), "--shape: input x must be float32 [N, 3, H, W], not [3, 9, 7]"),
        ({"x": PICTURE}, Sizes({"z": (1,)}), "--shape: the model has no input z; it takes x: float32 [N, 3, H, W]"),
        (
            PAIR,
            Sizes({ONLY: (1, 3, 9, 7)}),
            "--shape must say which of the model's inputs it is for: x: float32 [N, 3, H, W], mask: ",
        ),
        (
            {"x": OpenType(F32, (5, 3, 8, 8))},
            Sizes(images=2),
            "the model cannot take a batch of 2: its inputs are x [5, 3, 8, 8]",
        ),
        (
            {"x": PICTURE},
            Sizes({ONLY: (3, 3, 9, 7)}, images=2),
            "the model cannot take a batch of 2: its inputs are x [3, 3, 9, 7]",
        ),
    ],
)
def test_shapes_that_cannot_be_are_refused(inputs: dict[str, OpenType], sizes: Sizes, message: str) -> None:
    with pytest.raises(UserError, match="^" + re.escape(message)):
        input_shapes(inputs, sizes)


def test_noise_is_what_networks_take_and_always_the_same() -> None:
    inputs = {"x": OpenType(F32, (2, 3)), "bytes": OpenType(U8, (1000,)), "places": OpenType(I64, (2,))}
    values = model_inputs(inputs, {}, NOTHING_SAID)
    assert {name: value.dtype for name, value in values.items()} == {"x": F32, "bytes": U8, "places": I64}
    assert len(np.unique(values["bytes"])) > 200
    assert values["places"].tolist() == [1, 1]
    again = model_inputs(inputs, {}, NOTHING_SAID)
    assert all(np.array_equal(values[name], again[name]) for name in inputs)


TWO = {"x": OpenType(F32, (1, 3, 4, 4)), "t": OpenType(I64, (1,))}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    x = np.arange(48, dtype=np.float64).reshape(1, 3, 4, 4)
    np.save("x.npy", x)
    np.save("t.npy", np.array([7], np.int32))
    np.savez("both.npz", x=x, t=np.array([7]))
    np.savez("one.npz", whatever=x)
    np.savez("strange.npz", x=x, u=x)
    np.save("float.npy", np.array([7.5]))
    Path("text.npz").write_text("no archive")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("sources", [{"x": "x.npy", "t": "t.npy"}, {ONLY: "both.npz"}, {"x": "one.npz", "t": "t.npy"}])
def test_several_inputs_come_by_name_or_in_an_archive(sources: dict[str, str]) -> None:
    values = model_inputs(TWO, sources, NOTHING_SAID)
    assert list(values) == ["x", "t"]
    assert values["x"].dtype == F32
    assert values["x"].ravel().tolist() == list(range(48))
    assert (values["t"].dtype, values["t"].tolist()) == (I64, [7])


@pytest.mark.usefixtures("files")
def test_the_only_array_of_an_archive_is_the_only_input() -> None:
    values = model_inputs({"x": TWO["x"]}, {ONLY: "one.npz"}, NOTHING_SAID)
    assert values["x"].shape == (1, 3, 4, 4)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (
            {ONLY: "x.npy"},
            "--input must say which of the model's inputs it is for: x: float32 [1, 3, 4, 4], t: int64 [1]",
        ),
        ({"x": "x.npy"}, "--input gives x, and the model also takes t: int64 [1]"),
        ({"x": "x.npy", "u": "t.npy"}, "--input: the model has no input u; it takes x: float32"),
        ({ONLY: "strange.npz"}, "strange.npz: the model has no input u; it takes x: float32"),
        ({"x": "both.npz", "t": "t.npy"}, "both.npz holds 2 arrays, and one is wanted"),
        ({ONLY: "text.npz"}, "text.npz is no .npz file of arrays"),
        ({ONLY: "absent.npz"}, "cannot read absent.npz: No such file or directory"),
        ({"x": "x.npy", "t": "float.npy"}, "float.npy must hold int64 [1], not float64 [1]"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(sources: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match="^" + re.escape(message)):
        model_inputs(TWO, sources, NOTHING_SAID)


@pytest.mark.usefixtures("files")
def test_a_shape_that_the_file_does_not_have_is_refused() -> None:
    with pytest.raises(UserError, match=r"x\.npy holds \[1, 3, 4, 4\], not \[1, 3, 4, 5\] as --shape says"):
        model_inputs({"x": PICTURE}, {ONLY: "x.npy"}, Sizes({ONLY: (1, 3, 4, 5)}))
