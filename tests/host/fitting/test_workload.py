"""What a build learns of a network before it searches: whether its accelerator needs tables or addends."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
from imported_graphs import quantised_on
from onnx import TensorProto, helper, numpy_helper

from wingrid.host.fitting.area_model import predicted_area
from wingrid.host.fitting.workload import ADDENDS, TABLES, Workload
from wingrid.hw.config import AcceleratorConfig

CONFIG = AcceleratorConfig(rows=4, cols=4)
FREE = frozenset({"tables", "addends"})


def saved(folder: Path, activation: str) -> str:
    """A quantised model of a convolution with the activation behind it."""
    random = np.random.default_rng(1)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("Conv", ["x", "v"], ["d"], name="beside"),
        helper.make_node(activation, ["c", "d"] if activation == "Add" else ["c"], ["y"], name="activation"),
    ]
    nodes = nodes if activation == "Add" else [nodes[0], nodes[2]]
    graph = helper.make_graph(
        nodes,
        "activated",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 5, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(random.normal(0, 1, (4, 3, 1, 1)).astype(np.float32), name) for name in "wv"],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    quantised = quantised_on(model, random.normal(0, 1, (1, 3, 5, 5)).astype(np.float32))
    onnx.save(quantised.proto, folder / "model.onnx")
    return str(folder / "model.onnx")


def test_a_model_in_two_files_is_sent_whole_and_known_by_both(tmp_path: Path) -> None:
    proto = onnx.load(saved(tmp_path, "Relu"))
    place = tmp_path / "model.onnx"
    onnx.save(proto, place, save_as_external_data=True, location="weights.bin", size_threshold=0)
    network = Workload(str(place))
    weights = tmp_path / "weights.bin"
    assert network.parcel().contents == {"model.onnx": place.read_bytes(), "weights.bin": weights.read_bytes()}
    before = network.fingerprint()
    weights.write_bytes(weights.read_bytes()[::-1])
    assert network.fingerprint() != before


@pytest.mark.parametrize(
    ("activation", "tables", "addends"),
    [("HardSwish", TABLES, 0), ("LeakyRelu", TABLES, 0), ("Relu", 0, 0), ("Add", 0, ADDENDS)],
)
def test_units_are_for_networks_that_use_them(activation: str, tables: int, addends: int, tmp_path: Path) -> None:
    network = Workload(saved(tmp_path, activation))
    assert network.with_units(CONFIG, FREE) == dataclasses.replace(CONFIG, tables=tables, addends=addends)
    assert network.with_units(CONFIG, FREE - {"tables"}).tables == 0
    assert network.with_units(CONFIG, FREE - {"addends"}).addends == 0


@pytest.mark.parametrize("network", ["digits", "alexnet"])
def test_others_do_without(network: str) -> None:
    assert Workload(network).with_units(CONFIG, FREE) == CONFIG


def test_lanes_are_for_networks_whose_weights_gain_by_them() -> None:
    pruned, free = Workload("digits-compressed"), FREE | {"sparse"}
    assert pruned.with_units(CONFIG, free) == dataclasses.replace(CONFIG, sparse=1)
    assert pruned.with_units(CONFIG, FREE) == CONFIG
    assert Workload("digits").with_units(CONFIG, free) == CONFIG


def test_a_lane_has_a_multiplier_and_logic() -> None:
    without, lanes = (
        predicted_area(dataclasses.replace(CONFIG, winograd=0, sparse=sparse), "ecp5") for sparse in (0, 1)
    )
    # What `wingrid synth --config configs/tiny-4x4.toml` finds: multipliers, and look-up tables with carries.
    assert (without.multipliers, lanes.multipliers) == (28, 32)
    assert lanes.logic - without.logic == pytest.approx(13_660 - 12_155, rel=0.01)


@pytest.mark.parametrize(("family", "rows", "decoders", "logic"), [("ecp5", 8, 4, 3120), ("xc7", 4, 2, 410)])
def test_decoders_have_logic(family: str, rows: int, decoders: int, logic: int) -> None:
    # What yosys makes of a decoder by itself.
    without, with_decoders = (
        predicted_area(AcceleratorConfig(rows=rows, cols=rows, decoders=count), family) for count in (0, decoders)
    )
    assert with_decoders.logic - without.logic == pytest.approx(logic, rel=0.03)
    assert with_decoders.multipliers == without.multipliers
