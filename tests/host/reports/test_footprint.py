"""The footprint has the sizes that lectures show, and the traffic that the hardware counts."""

import csv
import io

import pytest
from layer_cases import SQUARE, WIDE

from wingrid.host.execution.network_jobs import network_jobs
from wingrid.host.execution.parallel import run_layers
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.alexnet import ALEXNET
from wingrid.host.networks.inputs import network_input
from wingrid.host.networks.layer import Convolution, Layer, fully_connected
from wingrid.host.networks.network import Connect, Convolve, MaxPool, Network, Normalise
from wingrid.host.networks.vgg16 import VGG16
from wingrid.host.reports.footprint import Row, footprint, im2col_values
from wingrid.host.reports.footprint_output import as_csv, as_dict, total
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming

SMALL = Network(
    "small",
    "for tests",
    3,
    21,
    17,
    (
        Convolve("a", 10, kernel=3, padding=1),
        MaxPool("pool1"),
        Normalise("norm1"),
        Convolve("b", 12, kernel=5, stride=2, groups=2),
        Connect("c", 30),
    ),
)


@pytest.fixture(scope="module")
def vgg16() -> list[Row]:
    return list(footprint(VGG16, AcceleratorConfig()))


def test_vgg16_has_the_rows_and_sums_of_the_lectures(vgg16: list[Row]) -> None:
    rows = {row.name: row for row in vgg16}
    assert len(rows) == 22
    # Values and weights as https://cs231n.github.io/convolutional-networks/ lists them, unrounded.
    assert (rows["input"].output, rows["input"].values) == ((3, 224, 224), 150_528)
    assert (rows["conv1_1"].values, rows["conv1_1"].weights) == (3_211_264, 1_728)
    assert (rows["pool1"].output, rows["pool1"].values, rows["pool1"].weights) == ((64, 112, 112), 802_816, 0)
    assert (rows["conv4_1"].values, rows["conv4_1"].weights) == (401_408, 1_179_648)
    assert (rows["fc6"].output, rows["fc6"].weights) == ((4096, 1, 1), 102_760_448)
    sums = total(vgg16)
    assert (sums["values"], sums["weights"]) == (15_237_608, 138_344_128)
    assert (sums["float32_output_bytes"], sums["int8_weight_bytes"]) == (60_950_432, 138_344_128)


def test_im2col_multiplies_what_3x3_layers_read_by_nine(vgg16: list[Row]) -> None:
    for row in vgg16:
        if row.operator == "conv":
            assert row.im2col == 9 * row.inputs
        elif row.operator == "fc":
            assert row.im2col == row.inputs
        else:
            assert row.im2col is row.inputs is row.machinery is None


def test_im2col_counts_an_element_for_each_tap_and_output() -> None:
    assert im2col_values(Layer("strided", "conv", Convolution(4, 9, 9, 5, kernel=(3, 2), stride=(2, 2)))) == 4 * 6 * 16
    assert im2col_values(Layer("batch", "fc", fully_connected(8, 2, 3, 10, images=4))) == 4 * 8 * 2 * 3


@pytest.mark.rtl
@pytest.mark.parametrize(("config", "images"), [(SQUARE, 1), (SQUARE, 2), (WIDE, 2)], ids=["4x4", "4x4 batch", "2x3"])
def test_what_moves_is_what_the_rtl_counts(config: AcceleratorConfig, images: int) -> None:
    setup = Setup("rtl", config, MemoryTiming.for_bus(config.bus_bytes))
    jobs = network_jobs(SMALL, network_input(SMALL, None, images), SMALL.select())
    measured = {result.layer.name: result for result in run_layers(jobs, setup)}
    rows = [row for row in footprint(SMALL, config, images) if row.machinery]
    assert [row.name for row in rows] == list(measured) == ["a", "b", "c"]
    for row in rows:
        assert row.machinery is not None
        result = measured[row.name]
        assert result.measurement is not None
        assert row.machinery.bytes == result.measurement.bytes
        assert (row.machinery.algorithm, row.machinery.unfolded) == (result.algorithm, result.unfolded)


def test_a_batch_multiplies_values_but_no_weights() -> None:
    one, three = (list(footprint(SMALL, SQUARE, images)) for images in (1, 3))
    assert [row.name for row in one] == ["input", "a", "pool1", "norm1", "b", "c"]
    assert [3 * row.values for row in one] == [row.values for row in three]
    assert [row.weights for row in one] == [row.weights for row in three]
    assert [row.output for row in one] == [row.output for row in three]
    assert one[2].output == one[3].output == (10, 10, 8)


def test_json_and_csv_hold_the_same_numbers() -> None:
    rows = list(footprint(SMALL, SQUARE))
    found = as_dict("small", rows, SQUARE, 1)
    assert list(found) == ["wingrid", "network", "images", "config", "footprint", "total"]
    lines = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert [line["name"] for line in lines] == [entry["name"] for entry in found["footprint"]]
    for line, entry in zip(lines, found["footprint"], strict=True):
        for name in ("values", "weights", "float32_output_bytes", "im2col_bytes", "dram_bytes", "lower_bound_bytes"):
            assert line[name] == ("" if entry[name] is None else str(entry[name]))
        for name, count in (entry["bytes"] or {}).items():
            assert line[f"bytes.{name}"] == str(count)
    for name in ("values", "weights", "int8_weight_bytes"):
        assert found["total"][name] == sum(entry[name] for entry in found["footprint"])
    moved = [entry["dram_bytes"] for entry in found["footprint"] if entry["dram_bytes"]]
    assert found["total"]["dram_bytes"] == sum(moved) == sum(found["total"]["bytes"].values())


def test_alexnet_lists_what_the_host_normalises() -> None:
    operators = {row.name: row.operator for row in footprint(ALEXNET, AcceleratorConfig())}
    assert operators["norm1"] == operators["norm2"] == "normalise"
    assert operators["pool5"] == "pool"
