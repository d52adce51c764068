"""Small models as exporters write them, each with something that once kept it out: all come in, and are exact."""

from collections import Counter
from pathlib import Path

import pytest
from imported_graphs import CONFIG, differences, imported

from wingrid.host.onnx_models.graph import HostStep
from wingrid.host.onnx_models.importer import import_model
from wingrid.host.onnx_models.inputs import model_inputs
from wingrid.host.onnx_models.model_file import read_model
from wingrid.host.onnx_models.model_run import placement_of
from wingrid.host.onnx_models.quantising import quantised
from wingrid.host.onnx_models.sizes import NOTHING_SAID, ONLY, Sizes

CASES = Path(__file__).parent / "cases"

SHAPES = {"open_sizes": (1, 3, 16, 16)}
"""Of the models that leave more open than the batch."""

ON_THE_HOST = {"lstm": "LSTM", "dynamic_int8": "ConvInteger"}
"""Multiply-adds for which there is no layer."""

FLOATS = ("QuantizeLinear", "DequantizeLinear")


def case(name: str):  # noqa: ANN201
    """The model, quantised if it is not, and an input for it."""
    model = read_model(CASES / f"{name}.onnx")
    sizes = Sizes({ONLY: SHAPES[name]}) if name in SHAPES else NOTHING_SAID
    inputs = model_inputs(model.inputs, {}, sizes)
    return model if model.is_quantised else quantised(model, [inputs]).model, inputs


def test_all_cases_are_known() -> None:
    assert len(list(CASES.glob("*.onnx"))) == 17


@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("*.onnx")))
def test_a_case_comes_in_and_gives_onnxruntimes_bits(name: str) -> None:
    model, inputs = case(name)
    graph = imported(model, inputs, int8_kernels=True)
    assert differences(graph, inputs) == []
    left = {step.operator for step in graph.host_steps if step.macs}
    assert left == ({ON_THE_HOST[name]} if name in ON_THE_HOST else set())
    assert bool(graph.accelerated) == (name != "dynamic_int8")


def host_operators(name: str) -> Counter[str]:
    """What the host does, but for floats at either end."""
    model, inputs = case(name)
    steps = imported(model, inputs, int8_kernels=True).host_steps
    return Counter(step.operator for step in steps if step.operator not in FLOATS)


@pytest.mark.parametrize("name", ["folds_constantofshape", "folds_range"])
def test_what_follows_from_shapes_alone_is_folded(name: str) -> None:
    assert set(host_operators(name)) <= {"QLinearConcat", "QLinearAdd"}


def test_a_resize_with_an_empty_roi_is_layers() -> None:
    assert host_operators("resize_empty_roi") == {}


def test_int8_models_of_the_quantisers_defaults_run_on_the_array_by_default() -> None:
    model, inputs = case("s8_defaults_residual")
    shapes = {name: value.shape for name, value in inputs.items()}
    by_default = placement_of(import_model(model, shapes, CONFIG))
    assert by_default.share == 1
    in_float = placement_of(import_model(model, shapes, CONFIG, int8_kernels=False))
    assert in_float.share is not None
    assert in_float.share < 0.5
    assert {work.remedy for work in in_float.host if work.macs} == {"--int8-kernels"}


def test_a_dynamically_quantised_model_says_why_it_is_the_hosts() -> None:
    model, inputs = case("dynamic_int8")
    placement = placement_of(imported(model, inputs))
    assert (placement.share, placement.segments, placement.crossing_bytes) == (0, 0, 0)
    assert {(work.reason, work.remedy) for work in placement.host if work.macs} == {
        ("its scales follow from each input", "wingrid quantize on the float model")
    }


def test_float16_is_brought_to_float32() -> None:
    assert read_model(CASES / "fp16.onnx").changes == ("The model was brought from float16 to float32.",)


def test_a_batch_of_minus_one_is_open() -> None:
    model = read_model(CASES / "minus_one.onnx")
    assert model.changes == ("Sizes of -1 were taken as open.",)
    assert str(model.inputs["x"]) == "float32 [?, 3, 16, 16]"


def test_segments_and_bytes_that_cross_are_counted() -> None:
    model, inputs = case("residual_float")
    graph = imported(model, inputs)
    placement = placement_of(graph)
    # QuantizeLinear | two layers | addition | a layer | DequantizeLinear: the input, one layer's and the other's
    # result to the addition, its sum, and the output.
    assert placement.segments == 2
    assert placement.crossing_bytes == (3 + 8 + 8 + 8 + 8) * 16 * 16
    assert [type(step) is HostStep for step in graph.steps] == [True, False, False, True, False, True]
