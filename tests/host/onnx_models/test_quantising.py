"""Float models made int8: ONNX Runtime opens every one of them, and what it computes stays close to the float model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from awkward_models import AWKWARD, KERNELS, SAMPLES, model, node, values
from imported_graphs import differences, imported, read
from onnx import numpy_helper

from wingrid.host.execution.listener import Silence
from wingrid.host.execution.quantisation_result import Closeness
from wingrid.host.onnx_models.accuracy import accuracy
from wingrid.host.onnx_models.calibrating import METHODS, Method
from wingrid.host.onnx_models.calibration import Calibration
from wingrid.host.onnx_models.quantising import Quantised, quantised
from wingrid.host.onnx_models.refusal import ModelRefused
from wingrid.host.onnx_models.session import compute, open_session

CLOSE = 30
"""Decibels: these models keep more than that in int8."""

ONE_LAYER = model([node("Conv", ["x", "w"], ["y"])], w=KERNELS)


def quantise(made: onnx.ModelProto, samples: dict[str, np.ndarray], method: str = "minmax") -> Quantised:
    known = read(made)
    return quantised(known, Calibration(samples, known.inputs), method=Method(method))


def closeness(made: onnx.ModelProto, samples: dict[str, np.ndarray], after: Quantised) -> dict[str, Closeness]:
    known = read(made)
    found = accuracy(known, after, Calibration(samples, known.inputs), Silence())
    return {entry.name: entry for entry in found.outputs}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_models_are_quantised_closely_and_run_as_onnx_runtime_runs_them(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    made, samples = AWKWARD[name]
    after = quantise(made, samples)
    assert capfd.readouterr() == ("", "")  # no remarks of ONNX Runtime's
    assert [value.name for value in after.model.proto.graph.output] == [value.name for value in made.graph.output]
    for entry in closeness(made, samples, after).values():
        assert entry.equal or (entry.snr_db is not None and entry.snr_db > CLOSE), entry
    known = read(made)
    first = next(iter(Calibration(samples, known.inputs)))
    assert differences(imported(after.model, first), first) == []


@pytest.mark.parametrize("method", METHODS)
def test_each_method_calibrates_without_a_word(method: str, capfd: pytest.CaptureFixture[str]) -> None:
    samples = {"x": values(4, 4, 6, 6)}
    after = quantise(ONE_LAYER, samples, method)
    assert capfd.readouterr() == ("", "")
    (entry,) = closeness(ONE_LAYER, samples, after).values()
    assert entry.snr_db is not None
    assert entry.snr_db > {"minmax": CLOSE, "percentile": CLOSE, "entropy": 10}[method]


def scale_of_input(after: Quantised) -> float:
    (scale,) = (tensor for tensor in after.model.proto.graph.initializer if tensor.name == "x_scale")
    return float(numpy_helper.to_array(scale))


def test_a_percentile_leaves_extremes_out() -> None:
    x = values(4, 4, 6, 6)
    x[0, 0, 0, 0] = 1000
    whole, most = (scale_of_input(quantise(ONE_LAYER, {"x": x}, method)) for method in ("minmax", "percentile"))
    assert whole > 3
    assert most == pytest.approx(whole, rel=0.01)  # one value in 576 is more than 0.005 %, and a bin is 1 in 2048
    known = read(ONE_LAYER)
    cut = quantised(known, Calibration({"x": x}, known.inputs), method=Method("percentile", 99.0))
    assert scale_of_input(cut) < 0.1


def test_histograms_do_not_depend_on_the_order_of_samples() -> None:
    x = values(4, 4, 6, 6) * np.array([0.001, 1, 10, 100], np.float32)[:, None, None, None]
    for method in ("entropy", "percentile"):
        made = [quantise(ONE_LAYER, {"x": samples}, method).model.proto for samples in (x, x[::-1])]
        assert made[0] == made[1]


def test_the_tensors_keep_their_names() -> None:
    made, samples = AWKWARD["names that the quantiser would give"]
    proto = quantise(made, samples).model.proto
    names = [name for each in proto.graph.node for name in each.output]
    names += [tensor.name for tensor in proto.graph.initializer]
    assert len(set(names)) == len(names)
    assert {"x_QuantizeLinear_Output", "x_DequantizeLinear_Output"} <= set(names)
    assert not any("wingrid" in name for name in names)
    nodes = [each.name for each in proto.graph.node]
    assert len(set(nodes)) == len(nodes)


def test_open_sizes_stay_open() -> None:
    proto = quantise(ONE_LAYER, {"x": SAMPLES}).model.proto
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"


def refused_models() -> dict[str, tuple[Callable[[], onnx.ModelProto], str]]:
    dynamic = model(
        [
            node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
            node("ConvInteger", ["q", "w", "z"], ["i"]),
            node("Cast", ["i"], ["y"], to=1),
        ],
        w=np.ones((4, 4, 3, 3), np.uint8),
    )
    infinite = model([node("Conv", ["x", "w"], ["y"])], w=KERNELS * np.float32(np.inf))
    return {
        "dynamic": (
            lambda: dynamic,
            r"^the model is quantised dynamically already, its scales following from each input; "
            r"quantise the float model that it was made from$",
        ),
        "twice": (lambda: quantise(ONE_LAYER, {"x": SAMPLES}).model.proto, r"^the model is quantised already$"),
        "no layer": (
            lambda: model([node("Relu", ["x"], ["y"])]),
            r"^there is nothing to quantise: the model has no convolution and no product of matrices$",
        ),
        "infinite": (lambda: infinite, r"^nothing in the model can be quantised: all of it meets infinities"),
    }


@pytest.mark.parametrize("name", refused_models())
def test_what_cannot_be_quantised_is_refused(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    make, message = refused_models()[name]
    made = make()
    with pytest.raises(ModelRefused, match=message):
        quantise(made, {"x": SAMPLES})
    assert capfd.readouterr() == ("", "")


def test_the_worst_layers_are_named_with_their_operators() -> None:
    made, samples = AWKWARD["outputs that go on"]
    known = read(made)
    after = quantise(made, samples)
    worst = accuracy(known, after, Calibration(samples, known.inputs), Silence()).worst
    assert {(entry.name, entry.operator) for entry in worst} == {("a", "Conv"), ("r", "Relu"), ("y", "Conv")}
    ratios = [entry.snr_db for entry in worst]
    assert ratios == sorted(ratios)


def test_the_ratio_is_that_of_energies() -> None:
    """Against the definition, in float64."""
    after = quantise(ONE_LAYER, {"x": SAMPLES})
    expected = closeness(ONE_LAYER, {"x": SAMPLES}, after)["y"]
    left, right = (
        compute(open_session(proto), {"x": SAMPLES})["y"].astype(np.float64).ravel()
        for proto in (ONE_LAYER, after.model.proto)
    )
    ratio = 10 * np.log10(left @ left / ((left - right) @ (left - right)))
    assert expected.snr_db == pytest.approx(ratio, abs=1e-9)
    assert expected.cosine == pytest.approx(left @ right / np.linalg.norm(left) / np.linalg.norm(right), abs=1e-12)
