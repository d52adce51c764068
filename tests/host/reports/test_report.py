"""Reports have the documented form, and nothing in them is invented."""

import csv
import dataclasses
import io
import json
import math

import numpy as np
import pytest
from rich.console import Console

from wingrid.host.compiler.algorithms import algorithm_name
from wingrid.host.execution.clock import Clock, assumed, routed_on
from wingrid.host.execution.layer_result import LayerResult
from wingrid.host.execution.measurement import Measurement
from wingrid.host.execution.network_result import GIVEN, HostWork, Judgement, NetworkResult, Placement
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.layer import Convolution, Layer, Pool, fully_connected
from wingrid.host.networks.response_normalisation import ResponseNormalisation
from wingrid.host.networks.softmax import Guess
from wingrid.host.networks.vgg16 import VGG16_CONVOLUTIONS
from wingrid.host.reports.remarks import share_of_array
from wingrid.host.reports.report import Report
from wingrid.host.reports.report_table import footnotes, table
from wingrid.host.reports.traffic import lower_bound_bytes
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.registers import Counter
from wingrid.sim.memory import MemoryTiming

LAYER_KEYS = [
    "name",
    "operator",
    "pool",
    "algorithm",
    "unfolded",
    "sections",
    "macs",
    "cycles",
    "macs_per_multiplier_cycle",
    "busy",
    "stalls",
]
LAYER_KEYS += ["bytes", "dram_bytes", "lower_bound_bytes", "lower_bound_ratio"]
LAYER_KEYS += ["utilisation", "bound", "macs_per_byte", "macs_per_cycle", "attainable_macs_per_cycle", "energy_uj"]
LAYER_KEYS += ["exact", "timing_equal"]
TOTAL_KEYS = ["macs", "cycles", "macs_per_multiplier_cycle", "busy", "stalls", "bytes", "dram_bytes"]
TOTAL_KEYS += ["lower_bound_bytes", "lower_bound_ratio", "images_per_second", "rtl_cycles_per_second", "wall_seconds"]
TOTAL_KEYS += ["utilisation", "bound_cycles", "macs_per_byte", "macs_per_cycle", "energy_uj", "energy_per_image_uj"]
TOTAL_KEYS += ["macs_array", "macs_host", "segments", "crossing_bytes"]
BYTE_CLASSES = ["instructions", "weights", "activations", "parameters", "results"]


def measured(scale: int) -> Measurement:
    return Measurement.from_counters({counter: scale * (100 + counter) for counter in Counter})


def report(backend: str = "rtl", images: int = 2) -> Report:
    setup = Setup(backend, AcceleratorConfig(), MemoryTiming(40, 16), assumed(100))
    results = []
    for number, name in enumerate(("one", "two"), start=1):
        layer = Layer(name, "conv", Convolution(16, 10, 10, 16, kernel=(3, 3)))
        output = np.zeros((1, 16, 8, 8), np.int8)
        if backend == "rtl":
            algorithm = algorithm_name(2 * number)
            results.append(
                LayerResult(
                    layer, output, algorithm, measured(number), seconds=0.5, exact=True, timing_equal=number == 1
                )
            )
        else:
            results.append(LayerResult(layer, output))
    return Report(NetworkResult("pair", setup, results, images, wall_seconds=1.25))


def test_json_has_the_documented_form() -> None:
    found = json.loads(report().as_json())
    assert list(found) == [
        "wingrid", "network", "backend", "config", "memory", "layers", "total",
        "clock_mhz", "clock_origin", "images", "weights", "host_operations", "guesses",
        "host", "changes", "onnxruntime_equal", "accuracy", "tensor_memory",
    ]  # fmt: skip
    assert (found["clock_mhz"], found["clock_origin"], found["images"]) == (100, "assumed", 2)
    assert found["config"]["rows"] == 16
    assert {"multipliers", "on_chip_bytes"} <= set(found["config"])
    assert [layer["algorithm"] for layer in found["layers"]] == ["winograd2", "winograd4"]
    assert found["memory"] == {"latency": 40, "bytes_per_cycle": 16, "dram": None, "write_latency": 1, "bridge": None}
    assert [list(layer) for layer in found["layers"]] == [LAYER_KEYS, LAYER_KEYS]
    assert list(found["layers"][0]["bytes"]) == BYTE_CLASSES
    assert list(found["total"]) == TOTAL_KEYS
    assert list(found["total"]["bytes"]) == BYTE_CLASSES


def test_an_imported_network_tells_what_the_host_does_and_what_onnxruntime_says() -> None:
    keys = ["weights", "host", "onnxruntime_equal", "accuracy"]
    plain = report()
    found = json.loads(plain.as_json())
    assert [found[key] for key in keys] == ["seeded", [], None, None]
    work = [
        HostWork("q", "QuantizeLinear", "no layer"),
        HostWork("r", "Relu", "no layer"),
        HostWork("c", "Conv", "float", 250, "a flag"),
        HostWork("l", "LSTM", "no such operator", 750),
    ]
    placement = Placement(3000, 2, 1234, work, ["Something was put in order."])
    judgement = Judgement(False, "y", images=8, correct=7)
    weights = "from a friend"
    judged = Report(dataclasses.replace(plain.result, weights=weights, placement=placement, judgement=judgement))
    found = json.loads(judged.as_json())
    assert [found[key] for key in keys] == [
        weights,
        [dataclasses.asdict(entry) for entry in work],
        False,
        {"images": 8, "correct": 7},
    ]
    assert found["changes"] == ["Something was put in order."]
    assert [found["total"][name] for name in ("macs_array", "macs_host", "segments", "crossing_bytes")] == [
        3000,
        1000,
        2,
        1234,
    ]
    lines = list(footnotes(judged))
    assert lines[:3] == [
        "75.0% of the model's 4,000 multiply-adds on the array.",
        "On the host: 1 LSTM, 18.8% (no such operator).",
        "On the host: 1 Conv, 6.2% (float); what would change it: a flag.",
    ]
    assert lines[-8:] == [
        "Weights: from a friend.",
        "Something was put in order.",
        "On the host (no layer): 1 QuantizeLinear, 1 Relu.",
        "On the host (float): 1 Conv.",
        "On the host (no such operator): 1 LSTM.",
        "The network leaves the array 2 times; 1,234 bytes cross between host and array.",
        "The outputs are NOT ONNX Runtime's.",
        "Classified as labelled: 7 of 8 images (87.5%).",
    ]


@pytest.mark.parametrize(
    ("array", "host", "shown"),
    [(0, 5, "0.0%"), (1, 9999, "less than 0.1%"), (9999, 1, "more than 99.9%"), (7, 0, "100.0%"), (0, 0, "100.0%")],
)
def test_a_share_is_whole_only_if_it_is(array: int, host: int, shown: str) -> None:
    placement = Placement(array, 1, 0, [HostWork("c", "Conv", "float", host)])
    first, *_ = share_of_array(placement)
    assert first == f"{shown} of the model's {array + host:,} multiply-adds on the array."


def test_a_share_that_depends_on_data_is_not_invented() -> None:
    placement = Placement(9, 1, 0, [HostWork("c", "Conv", "float", None)])
    (line,) = share_of_array(placement)
    assert line == "9 multiply-adds on the array; those of the host are not known, as shapes depend on data."


def test_totals_add_up() -> None:
    found = report().as_dict()
    layers, total = found["layers"], found["total"]
    assert total["macs"] == 2 * 16 * 16 * 9 * 64
    assert total["cycles"] == sum(layer["cycles"] for layer in layers) == 300
    assert total["macs_per_multiplier_cycle"] == round(total["macs"] / 256 / 300, 4)
    assert total["bytes"] == {name: sum(layer["bytes"][name] for layer in layers) for name in BYTE_CLASSES}
    assert total["dram_bytes"] == sum(total["bytes"].values())
    assert total["busy"] == sum(layer["busy"] for layer in layers)
    assert total["stalls"] == {name: sum(layer["stalls"][name] for layer in layers) for name in layers[0]["stalls"]}
    assert total["lower_bound_bytes"] == sum(layer["lower_bound_bytes"] for layer in layers)
    assert total["images_per_second"] == round(2 * 100e6 / 300, 3)
    assert total["rtl_cycles_per_second"] == 300
    assert total["wall_seconds"] == 1.25


def test_traffic_stands_beside_its_lower_bound() -> None:
    found = report().as_dict()
    bound = lower_bound_bytes(Layer("one", "conv", Convolution(16, 10, 10, 16, kernel=(3, 3))), 520_000)
    assert bound == 16 * 10 * 10 + 16 * 16 * 9 + 16 * 8 * 8
    for entry in (*found["layers"], found["total"]):
        assert entry["dram_bytes"] == sum(entry["bytes"].values())
        assert entry["lower_bound_ratio"] == round(entry["dram_bytes"] / entry["lower_bound_bytes"], 4)
    assert [layer["lower_bound_bytes"] for layer in found["layers"]] == [bound, bound]


def test_what_the_host_does_is_said() -> None:
    setup = Setup("golden", AcceleratorConfig(), MemoryTiming(40, 16), assumed(100))
    layer = Layer("one", "conv", Convolution(1, 1, 1, 4), normalisation=ResponseNormalisation())
    result = LayerResult(layer, np.zeros((1, 4, 1, 1), np.int8), unfolded=(3, 2), sections=(1, 4))
    found = Report(NetworkResult("net", setup, [result], 1, 1.0, guesses=[[Guess(7, 0.75), Guess(2, 0.125)]]))
    assert found.as_dict()["layers"][0]["unfolded"] == [3, 2]
    assert next(csv.DictReader(io.StringIO(found.as_csv())))["unfolded"] == "3x2"
    assert found.as_dict()["layers"][0]["sections"] == [1, 4]
    assert found.as_dict()["host_operations"] == [
        {"operation": "unfolding 3x2 taps", "before": "one"},
        {"operation": "cutting into 1x4 sections", "before": "one"},
        {"operation": "local response normalisation", "after": "one"},
        {"operation": "softmax", "after": "one"},
    ]
    assert found.as_dict()["guesses"] == [[{"class": 7, "probability": 0.75}, {"class": 2, "probability": 0.125}]]
    assert list(footnotes(found)) == [
        "On the host, not in these figures: unfolding 3x2 taps before one; cutting into 1x4 sections before one; "
        "local response normalisation after one; softmax after one.",
        "Likeliest classes of image 0: 7 (75.00%), 2 (12.50%).",
        "Weights are seeded, not trained: these classes show that every bit arrives, and mean nothing.",
    ]
    assert found.as_dict()["weights"] == "seeded"
    given = Report(dataclasses.replace(found.result, weights=GIVEN))
    assert given.as_dict()["weights"] == "given"
    assert list(footnotes(given)) == list(footnotes(found))[:-1]
    assert report().as_dict()["host_operations"] == []
    assert report().as_dict()["guesses"] is None


def test_stalls_are_named_as_the_hardware_names_them() -> None:
    layer = report().as_dict()["layers"][0]
    names = [counter.name for counter in Counter if counter.name.startswith("STALL_")]
    assert list(layer["stalls"]) == [name.removeprefix("STALL_").lower() for name in names]
    assert layer["stalls"]["weights"] == 100 + Counter.STALL_WEIGHTS
    assert layer["busy"] == 100 + Counter.BUSY


def test_what_a_backend_cannot_know_is_null() -> None:
    found = report("golden").as_dict()
    layer, total = found["layers"][0], found["total"]
    unknown = ("algorithm", "cycles", "macs_per_multiplier_cycle", "busy", "stalls", "bytes", "exact", "timing_equal")
    assert all(layer[name] is None for name in unknown)
    unknown = ("cycles", "bytes", "dram_bytes", "images_per_second", "rtl_cycles_per_second")
    assert all(total[name] is None for name in unknown)
    assert total["macs"] > 0


def test_some_layers_of_a_network_make_no_images() -> None:
    assert report(images=0).as_dict()["total"]["images_per_second"] is None


def test_csv_has_a_line_per_layer() -> None:
    lines = list(csv.DictReader(io.StringIO(report().as_csv())))
    assert [(line["name"], line["algorithm"]) for line in lines] == [("one", "winograd2"), ("two", "winograd4")]
    assert lines[1]["cycles"] == "200"
    assert lines[1]["bytes.weights"] == str(2 * (100 + Counter.BYTES_WEIGHTS))


def printed(found: Report) -> list[str]:
    console = Console(width=120, file=io.StringIO())
    console.print(table(found))
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("backend", ["rtl", "golden"])
def test_the_table_shows_every_layer(backend: str) -> None:
    text = "\n".join(printed(report(backend)))
    assert all(word in text for word in ("one", "two", "total", "16x16"))
    assert ("yes" in text) == ("winograd4" in text) == (backend == "rtl")
    assert report("golden").as_dict()["total"]["cycles"] is None


def test_the_table_shows_the_largest_stall_and_the_bytes() -> None:
    line = next(line.split() for line in printed(report()) if line.lstrip().startswith("two"))
    stalls = report().as_dict()["layers"][1]["stalls"]
    cause = max(stalls, key=stalls.get)
    assert line[:4] == ["two", "winograd4", "0.1", "200"]
    assert line[6:8] == [cause, f"{stalls[cause] / 200:.1%}"]
    assert line[-1] == "yes/NO"


def test_a_table_fits_120_columns() -> None:
    # As large as VGG-16 with a batch of eight.
    setup = Setup("rtl", AcceleratorConfig(), MemoryTiming(40, 16), assumed(100))
    values = {counter: 10**8 if counter.name.startswith("BYTES_") else 10**6 for counter in Counter}
    values |= {Counter.CYCLES: 99 * 10**6, Counter.STALL_ACCUMULATORS: 99 * 10**6 // 2}
    layer = Layer("conv1_2", "conv", Convolution(512, 224, 224, 512, kernel=(3, 3)), pool=Pool(2, 2))
    measurement = Measurement.from_counters(values)
    result = LayerResult(layer, np.zeros((1,), np.int8), "winograd4", measurement, seconds=0.5, exact=True)
    lines = printed(Report(NetworkResult("large", setup, [result], 1, 1.0)))
    line = next(line.split() for line in lines if line.lstrip().startswith("conv1_2"))
    assert max(map(len, lines)) <= 120
    assert line[6:-2] == ["1.0%", "accumulators", "50.0%", "100.00", "100.00", "100.00", "200.00"]


def test_footnotes_tell_throughput() -> None:
    lines = list(footnotes(report()))
    assert lines[0].startswith("666667 images per second at 100 MHz, assumed, ")
    assert lines[1] == "1.2 s of wall time; a core simulates 300 cycles per second."
    assert list(footnotes(report("golden"))) == []


def test_figures_per_second_need_a_clock() -> None:
    timed = report()
    total = timed.as_dict()["total"]
    at = {
        clock: Report(dataclasses.replace(timed.result, setup=dataclasses.replace(timed.result.setup, clock=clock)))
        for clock in (Clock(), Clock(missing="Nobody knows."), routed_on("ecp5-85k-6", 104.2))
    }
    unknown, missing, routed = at.values()
    for without in (unknown, missing):
        found = without.as_dict()
        assert (found["clock_mhz"], found["clock_origin"]) == (None, None)
        assert found["total"] == {**total, "images_per_second": None}
        assert next(footnotes(without)).startswith(
            f"150 cycles per image at {total['dram_bytes'] / 300:.2f} bytes per cycle, "
        )
        assert "per second" not in next(footnotes(without))
    assert "Nobody knows." not in footnotes(unknown)
    assert list(footnotes(missing))[1] == "Nobody knows."
    assert (routed.as_dict()["clock_mhz"], routed.as_dict()["clock_origin"]) == (104.2, "routed on ecp5-85k-6")
    assert next(footnotes(routed)).startswith("694667 images per second at 104.2 MHz, routed on ecp5-85k-6, ")


def test_lower_bound_is_chens_formula_or_compulsory_traffic() -> None:
    deep = Convolution(512, 28, 28, 512, kernel=(3, 3), padding=(1, 1, 1, 1))
    size = 16 * 1024
    outputs = 512 * 28 * 28
    bound = lower_bound_bytes(Layer("deep", "conv", deep), size)
    assert bound == math.ceil(2 * deep.macs / math.sqrt(9 * size)) + outputs
    single = fully_connected(512, 7, 7, 4096)
    assert lower_bound_bytes(Layer("single", "fc", single), size) == max(
        512 * 49 + 512 * 49 * 4096 + 4096, math.ceil(2 * single.macs / math.sqrt(49 * size)) + 4096
    )


def test_lower_bound_of_vgg16_is_of_the_published_size() -> None:
    # About 34 MB with pooling fused.
    total = sum(lower_bound_bytes(layer, 512 * 1024) for layer in VGG16_CONVOLUTIONS.layers())
    assert 33e6 < total < 36e6


def test_pooling_is_named_and_its_outputs_count() -> None:
    shape = Convolution(16, 10, 10, 16, kernel=(3, 3))
    plain, pooled = Layer("plain", "conv", shape), Layer("pooled", "conv", shape, pool=Pool(3, 2))
    setup = Setup("golden", AcceleratorConfig(), MemoryTiming(40, 16), assumed(100))
    results = [LayerResult(layer, np.zeros(layer.output_shape, np.int8)) for layer in (plain, pooled)]
    found = Report(NetworkResult("pair", setup, results, 1, wall_seconds=1.0)).as_dict()["layers"]
    assert [layer["pool"] for layer in found] == [None, "3x3/2"]
    assert found[0]["macs"] == found[1]["macs"]
    assert pooled.output_shape == (1, 16, 3, 3)
    assert lower_bound_bytes(plain, 1 << 20) - lower_bound_bytes(pooled, 1 << 20) == 16 * (8 * 8 - 3 * 3)
