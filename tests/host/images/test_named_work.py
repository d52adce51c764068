"""Networks by name come with an input that their image takes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from layer_cases import SQUARE
from random_graphs import judged_case

from wingrid.host.errors import UserError
from wingrid.host.images.building import build_image
from wingrid.host.images.machines import SpecifiedMachine
from wingrid.host.images.named_work import named_work
from wingrid.host.images.running import run_image
from wingrid.host.onnx_models.sizes import ONLY, Sizes


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("digits", {"x": ("float32", (1, 1, 32, 32))}),
        ("waifu2x", {"x": ("float32", (1, 3, 78, 78))}),
        ("alexnet", {"picture": ("int8", (1, 3, 227, 227))}),
    ],
)
@pytest.mark.slow
def test_built_in_networks(name: str, inputs: dict[str, tuple[str, tuple[int, ...]]]) -> None:
    work, values = named_work(name, SQUARE)
    assert work.name == name
    for known in (work.inputs, values):
        assert {key: (str(value.dtype), value.shape) for key, value in known.items()} == inputs


def test_a_batch_and_a_file(tmp_path: Path) -> None:
    work, values = named_work("digits", SQUARE, sizes=Sizes(images=3))
    assert work.inputs["x"].shape == values["x"].shape == (3, 1, 32, 32)
    model, x, _ = judged_case(2)
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    work, values = named_work(str(path), SQUARE, sources={ONLY: x[:1]})
    (taken,) = values.values()
    np.testing.assert_array_equal(taken, x[:1])
    image = build_image(work, SQUARE)
    run_image(image, SpecifiedMachine(image), values)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^unknown network 'nothing'; built in are vgg16, "):
        named_work("nothing", SQUARE)
    with pytest.raises(UserError, match=f"^cannot read {re.escape(str(tmp_path))}"):
        named_work(str(tmp_path / "none.onnx"), SQUARE)
    with pytest.raises(UserError, match=r"^--shape is for \.onnx files, and vgg16 has its own input shape$"):
        named_work("vgg16", SQUARE, sizes=Sizes({ONLY: (1, 3, 5, 5)}))
