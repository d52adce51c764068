"""``import wingrid``: the commands as functions, on small configurations, against golden and ONNX Runtime."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from small_networks import SMALL_VGG16

import wingrid
from wingrid import (
    AcceleratorConfig,
    ChecksFailed,
    ConfigError,
    MemoryTiming,
    UserError,
    compile_layer,
    estimate,
    filter_picture,
    generate_verilog,
    matmul,
    memory_footprint,
    networks,
    quantize,
    run,
    run_picture,
    sweep,
    verilog_manifest,
)
from wingrid.host.networks.built_in import BUILT_IN
from wingrid.sim.golden.requantise import requantise

TINY = AcceleratorConfig.load(Path(__file__).parents[3] / "configs" / "tiny-4x4.toml")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(BUILT_IN, SMALL_VGG16.name, SMALL_VGG16)
    return SMALL_VGG16.name


def test_every_name_is_where_type_checkers_look_for_it() -> None:
    for home, names in wingrid._HOMES.items():
        module = importlib.import_module(f"wingrid.{home}")
        assert all(getattr(wingrid, name) is getattr(module, name) for name in names)
    assert sorted(name for names in wingrid._HOMES.values() for name in names) == wingrid.__all__ == dir(wingrid)
    with pytest.raises(AttributeError, match=r"^module 'wingrid' has no attribute 'nothing'$"):
        wingrid.nothing  # noqa: B018 (to see it fail)


def test_import_alone_loads_nothing() -> None:
    code = "import sys, wingrid; print(sorted({'numpy', 'amaranth', 'onnx'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_an_estimate_is_what_the_command_prints(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    from wingrid.host.commands.app import main

    with pytest.raises(SystemExit):
        main(["estimate", small, "--set", "rows=8", "--latency", "9", "--clock", "150", "--json", "-"])
    printed = json.loads(capsys.readouterr().out)
    found = estimate(small, rows=8, memory=MemoryTiming(9), clock=150.0)
    assert found.cycles == printed["total"]["cycles"] > 0
    for report in (printed, told := found.as_dict()):
        report["total"].pop("wall_seconds")
    assert told == printed


@pytest.mark.slow
def test_a_sweep_has_a_line_for_every_combination(small: str) -> None:
    swept = sweep(small, rows=[8, 16], cols=[8, 16])
    assert list(swept.frame().index) == [(8, 8), (8, 16), (16, 8), (16, 16)]
    assert [e.cycles for e in swept.estimates()] == list(swept.frame()["cycles"])
    with pytest.raises(UserError, match="use sweep"):
        estimate(small, rows="8,16")


@pytest.mark.rtl
def test_a_network_runs_with_outputs_and_report(small: str) -> None:
    random = np.random.default_rng(3)
    x = random.integers(-128, 128, (2, SMALL_VGG16.channels, SMALL_VGG16.height, SMALL_VGG16.width), np.int8)
    golden = run(small, x, backend="golden", config=TINY)
    on_rtl = run(small, x, config=TINY)
    assert np.array_equal(on_rtl.output, golden.output)
    assert len(golden.output) == 2
    assert golden.cycles is None
    assert on_rtl.cycles == estimate(small, config=TINY, batch=2).cycles
    assert on_rtl.frame()["exact"].all()
    assert on_rtl.failures == []
    assert "on rtl" in on_rtl._repr_html_()


@pytest.mark.rtl
def test_a_layer_with_own_weights_is_compiled_timed_and_run() -> None:
    random = np.random.default_rng(4)
    weights = random.integers(-128, 128, (6, 5, 3, 3), np.int8)
    bias = random.integers(-1000, 1000, 6, np.int32)
    scales = random.uniform(0.0005, 0.002, 6).astype(np.float32)
    x = random.integers(-128, 128, (1, 5, 9, 11), np.int8)
    layer = compile_layer(
        weights, (9, 11), bias=bias, scale=scales, padding=1, x_zero_point=7, y_zero_point=-3, relu=True, config=TINY
    )
    assert layer.algorithm == "direct"
    assert len(layer.instructions) > 3
    done = layer.run(x)
    sums = _sums(x, weights, 7)
    expected = requantise(sums + bias[:, None, None], scales, zero_point=-3, minimum=-3)
    assert np.array_equal(done.output[0], expected)
    assert done.cycles == layer.estimate().cycles


def _sums(x: np.ndarray, weights: np.ndarray, zero_point: int) -> np.ndarray:
    """The convolution with padding 1, written out: int64 [K, H, W]."""
    padded = np.pad(x[0].astype(np.int64) - zero_point, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.einsum("chwij,kcij->khw", windows, weights.astype(np.int64))


@pytest.mark.rtl
def test_matrices_and_pictures() -> None:
    random = np.random.default_rng(5)
    left, right = (random.integers(-128, 128, shape, np.int8) for shape in ((7, 9), (9, 5)))
    product = matmul(left, right, scale=1 / 512, config=TINY)
    exact = np.rint((left.astype(np.int64) @ right).astype(np.float32) * np.float32(1 / 512))
    assert np.array_equal(product.output, np.clip(exact, -128, 127))
    pixels = random.integers(0, 256, (6, 8, 3), np.uint8)
    unchanged = filter_picture(pixels, np.array([[1]]), config=TINY)
    assert np.array_equal(unchanged.output, pixels)


def test_a_picture_goes_through_a_model_tile_by_tile() -> None:
    pixels = np.random.default_rng(8).integers(0, 256, (9, 12, 3), np.uint8)
    whole = run_picture("waifu2x", pixels, backend="golden")
    assert whole.output.shape == pixels.shape
    assert np.array_equal(run_picture("waifu2x", pixels, tile=7, backend="golden").output, whole.output)


def test_an_onnx_model_takes_an_array(tmp_path: Path) -> None:
    found = run("digits", backend="golden", batch=3)
    assert found.output.shape == (3, 10)
    assert found.result.judgement is not None
    assert found.result.judgement.onnxruntime_equal
    x = np.zeros((2, 1, 32, 32), np.float32)
    assert run("digits", x, backend="golden").output.shape == (2, 10)
    with pytest.raises(UserError, match=r"^input x must hold float32"):
        run("digits", x.astype(np.int8), backend="golden")


def test_a_difference_is_raised_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wingrid.host.onnx_models.judge.difference", lambda *_: "output y: all wrong")
    with pytest.raises(ChecksFailed, match=r"^output y: all wrong$") as caught:
        run("digits", backend="golden", batch=1)
    assert caught.value.result.values.shape == (1, 10)


def test_the_rest_of_the_commands(tmp_path: Path) -> None:
    assert [network["name"] for network in networks()][:2] == ["vgg16", "vgg16-conv"]
    assert verilog_manifest(TINY)["config"]["rows"] == 4
    assert memory_footprint("alexnet")["footprint"][1]["name"] == "conv1"
    assert generate_verilog(TINY, rows=2, cols=2).count("module wingrid(") == 1
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1])],
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 2, 3, 3])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 4, 3, 3])],
        [onnx.numpy_helper.from_array(np.full((4, 2, 1, 1), 0.5, np.float32), "w")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "float.onnx")
    np.savez(tmp_path / "samples.npz", x=np.random.default_rng(6).normal(size=(4, 2, 3, 3)).astype(np.float32))
    (tmp_path / "int8.onnx").write_bytes(quantize(tmp_path / "float.onnx", tmp_path / "samples.npz"))
    assert run(str(tmp_path / "int8.onnx"), backend="golden").output.shape == (1, 4, 3, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: run("nothing"), "unknown network 'nothing'"),
        (lambda: run("alexnet", backend="timing"), "run needs a backend that computes values"),
        (lambda: run("alexnet", np.zeros((1, 3), np.int8)), "the input must hold int8"),
        (lambda: run("alexnet", batch=0), "batch 0 must be at least 1"),
        (lambda: estimate("alexnet", rows=1), "configuration field rows = 1 must lie between 2 and 64"),
        (lambda: estimate("alexnet", config="absent.toml"), "cannot read configuration absent.toml"),
        (lambda: compile_layer(np.zeros((1, 1, 1, 1)), (1, 1)), "weights must be int8"),
        (lambda: compile_layer(np.ones((2, 1, 1, 1), np.int8), (1, 1), bias=np.zeros(2)), "bias must be int32 [2]"),
        (lambda: compile_layer(np.ones((2, 1, 1, 1), np.int8), (1, 1), scale=-1.0), "scales must be finite numbers"),
        (lambda: compile_layer(np.ones((1, 1, 1, 1), np.int8), (1, 1), x_zero_point=128), "x_zero_point = 128 must"),
        (lambda: compile_layer(np.ones((1, 1, 2, 2), np.int8), (1, 1)), "a kernel of 2x2 with dilation 1x1 does not"),
        (lambda: compile_layer(np.ones((1, 1, 1, 1), np.int8), (1, 1)).run(np.zeros(1)), "the input must be int8 [1, "),
        (lambda: matmul(np.zeros((2, 3), np.int8), np.zeros((2, 3), np.int8)), "the factors' inner sizes 3 and 2"),
        (lambda: run_picture("waifu2x", np.zeros((2, 3))), "a picture must be uint8 [H, W, 3]"),
        (lambda: run_picture("waifu2x", np.zeros((2, 3, 3), np.uint8), tile=0), "tile 0 must be at least 1"),
        (lambda: filter_picture(np.zeros((2, 3)), "box"), "a picture must be uint8 [H, W, 3]"),
        (lambda: memory_footprint("digits"), "unknown network 'digits'"),
        (lambda: generate_verilog(winograd=3), "configuration field winograd = 3 must be one of 0, 2, 4"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(call: object, message: str) -> None:
    with pytest.raises((UserError, ConfigError)) as caught:
        call()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
