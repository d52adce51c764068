"""Reports as pages: what their figures show, and a browser that clicks through them."""

from __future__ import annotations

import json
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from browser import browser, looked_at, printed
from command_calls import ON_SQUARE, call
from small_networks import SMALL_VGG16
from sparse_layers import CONFIGS, compile_sparse, random_sparse_layer

from wingrid.host.compiler.compile_layer import compile_exactly
from wingrid.host.execution.layer_run import Job
from wingrid.host.execution.network_chain import compile_chain
from wingrid.host.execution.network_time import time_network
from wingrid.host.execution.setup import Setup
from wingrid.host.execution.trace import chrome_trace
from wingrid.host.networks.built_in import BUILT_IN
from wingrid.host.pages.document import Section, page, table
from wingrid.host.pages.figures import cycles, energy, roofline, traffic
from wingrid.host.pages.memory import alone, chained, memory_map
from wingrid.host.pages.timeline import SHOWN, occupation, timelines
from wingrid.host.reports.report import Report
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import SPARSE_FORMATS
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.timing.model import simulate

SETUP = Setup("timing", AcceleratorConfig(), MemoryTiming(), keep_programs=True)

needs_browser = pytest.mark.skipif(
    browser() is None and not os.environ.get("CI"), reason="Chromium is not there; where CI is set it has to be"
)


@pytest.fixture(scope="module")
def report() -> Report:
    return Report(time_network(SMALL_VGG16, SETUP))


@pytest.fixture(autouse=True)
def small_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(BUILT_IN, SMALL_VGG16.name, SMALL_VGG16)
    monkeypatch.chdir(tmp_path)


def test_bars_add_up_to_what_the_report_says(report: Report) -> None:
    layers = report.as_dict()["layers"]
    for figure, whole in (
        (cycles(layers), [layer["cycles"] for layer in layers]),
        (traffic(layers), [layer["dram_bytes"] for layer in layers]),
        (energy(layers), [layer["energy_uj"]["total"] for layer in layers]),
    ):
        assert np.allclose(np.sum([bar["x"] for bar in figure["data"]], axis=0), whole, atol=0.01)
        assert all(bar["y"] == [layer["name"] for layer in layers] for bar in figure["data"])
    points = [trace for trace in roofline(report, layers)["data"] if trace["mode"] == "markers"]
    assert sorted(y for trace in points for y in trace["y"]) == sorted(layer["macs_per_cycle"] for layer in layers)


def test_plotly_knows_every_property_of_every_figure(report: Report) -> None:
    layers = report.as_dict()["layers"]
    compiled = [layer.compiled for layer in report.result.layers if layer.compiled]
    assert len(compiled) == len(layers)
    figures, shares = timelines(compiled, SETUP.timing)
    memory = memory_map(chained(compiled), [layer["name"] for layer in layers])
    made = [roofline(report, layers), cycles(layers), traffic(layers), energy(layers), occupation(shares), memory]
    for figure in [*made, *(figure for _, figure in figures)]:
        go.Figure(figure)  # raises for what it does not know
    with pytest.raises(ValueError, match="colour"):
        go.Figure({"data": [{"type": "bar", "colour": "red"}]})


def test_the_timeline_has_the_slices_of_the_trace(report: Report) -> None:
    layer = report.result.layers[1].compiled
    assert layer is not None
    ((_, figure),), shares = timelines([layer], SETUP.timing)
    run = simulate(layer.config, layer.program, SETUP.timing, program_address=layer.memory.program, events=True)
    assert run.events is not None
    entries = json.loads(chrome_trace("", layer.instructions, run.events))["traceEvents"]
    names = {entry["tid"]: entry["args"]["name"] for entry in entries if entry["name"] == "thread_name"}
    for bar in figure["data"]:
        slices = [
            (entry["ts"], entry["dur"], entry["name"])
            for entry in entries
            if entry["ph"] == "X" and names[entry["tid"]] == bar["name"] and entry["args"]["instruction"] < SHOWN
        ]
        assert list(zip(bar["base"], bar["x"], bar["customdata"], strict=True)) == slices
    measured = report.result.layers[1].measurement
    assert measured is not None
    found = shares[layer.layer.name]
    assert all(0 <= share <= 1 for share in found.values())
    assert found["vectors"] >= measured.busy / measured.cycles


def test_what_lies_in_memory_at_the_same_time_does_not_overlap(report: Report) -> None:
    compiled = [layer.compiled for layer in report.result.layers if layer.compiled]
    for stretches in (chained(compiled), alone(compiled)):
        assert len(stretches) > 4 * len(compiled)
        for index, one in enumerate(stretches):
            for other in stretches[:index]:
                together = one.first <= other.last and other.first <= one.last
                apart = one.start + one.bytes <= other.start or other.start + other.bytes <= one.start
                assert apart or not together, (one, other)


def test_the_chain_is_the_one_that_a_run_with_one_job_has(report: Report) -> None:
    layers = SMALL_VGG16.layers()
    jobs = [Job(layer, SMALL_VGG16.operands(layer), np.zeros(0, np.int8)) for layer in layers]
    compiled = [compile_exactly(layer, partial(SMALL_VGG16.operands, layer), SETUP.config) for layer in layers]
    stretches = {stretch.name: stretch for stretch in chained(compiled)}
    for layer in compile_chain(jobs, SETUP):
        name, memory = layer.layer.name, layer.memory
        assert stretches[f"{name}'s weights"].start == memory.weights
        assert stretches[f"{name}'s program"].start == memory.program
        assert stretches[f"{name}'s output"].start == memory.outputs


def test_text_of_the_user_s_cannot_end_a_script() -> None:
    name = "</script><b>bold"
    figure = {"data": [{"type": "bar", "x": [name], "y": [1]}], "layout": {}}
    text = page(name, [Section(name, table([name], [["cell"]]), {"one": [(name, figure), ("other", figure)]})])
    assert "<b>" not in re.sub(r"<script.*?</script>", "", text, flags=re.S)
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', text, re.S)
    assert json.loads(data)[0]["data"][0]["x"] == [name]


CLICKS = """
  const seen = {};
  const heads = [...document.querySelectorAll("th[data-sorts]")];
  const head = heads.find(head => head.textContent === "Cycles");
  const rows = () => [...head.closest("table").querySelectorAll("tr")].slice(1).map(row => row.cells[0].textContent);
  const column = () => [...head.closest("table").querySelectorAll("tr[data-row]")]
    .map(row => Number(row.cells[head.cellIndex].dataset.value));
  seen.unsorted = rows();
  head.click(); seen.up = column(); seen.order = head.getAttribute("aria-sort");
  head.click(); seen.down = column(); seen.last = rows().at(-1);
  for (const other of heads) other.click();
  seen.plots = [...document.querySelectorAll(".js-plotly-plot")].map(plot => plot.id);
  const timeline = document.getElementById("timeline"), choice = document.getElementById("timeline-choice");
  seen.layers = [];
  for (let index = 0; index < choice.options.length; index++) {
    choice.selectedIndex = index;
    choice.dispatchEvent(new Event("change"));
    seen.layers.push(timeline.data.reduce((sum, bar) => sum + bar.x.length, 0));
  }
  const range = () => [...timeline.layout.xaxis.range];
  seen.range = range();
  timeline.querySelector('[data-title="Zoom in"]').click(); seen.zoomed = range();
  timeline.querySelector('[data-title="Autoscale"]').click(); seen.back = range();
  seen.drawn = timeline.querySelectorAll(".bars .point").length;
  return seen;
"""


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 500], ids=["desk", "phone"])
def test_a_browser_clicks_through_an_estimate(width: int, report: Report, tmp_path: Path) -> None:
    assert call("estimate", SMALL_VGG16.name, "--html", "page.html") == 0
    seen, console = looked_at(tmp_path / "page.html", tmp_path, width, CLICKS)
    assert console == []
    assert seen["fetched"] == 0
    assert seen["width"] <= seen["window"]
    assert seen["headings"] == [
        "Summary", "Checks", "Layers", "Roofline", "Cycles by layer, and what they wait for", "Traffic by class",
        "Energy by layer", "Timeline of the engines", "Memory map and lifetimes", "Area",
    ]  # fmt: skip
    assert all(0 < picture <= seen["window"] for picture in seen["pictures"])
    done: dict[str, Any] = seen["done"]
    layers = report.as_dict()["layers"]
    counts = [layer["cycles"] for layer in layers]
    assert done["unsorted"] == [*(layer["name"] for layer in layers), "total"]
    assert (done["up"], done["order"]) == (sorted(counts), "ascending")
    assert (done["down"], done["last"]) == (sorted(counts, reverse=True), "total")
    assert done["plots"] == ["roofline", "cycles", "traffic", "energy", "engines", "timeline", "memory"]
    compiled = [layer.compiled for layer in report.result.layers if layer.compiled]
    figures, _ = timelines(compiled, SETUP.timing)
    assert done["layers"] == [sum(len(bar["x"]) for bar in figure["data"]) for _, figure in figures]
    assert done["drawn"] == done["layers"][-1]
    assert done["range"][0] < done["zoomed"][0] < done["zoomed"][1] < done["range"][1]
    assert done["back"] == pytest.approx(done["range"])


@needs_browser
@pytest.mark.slow
def test_a_browser_prints_it(tmp_path: Path) -> None:
    """On pages of paper, each with something on it, and with no complaint."""
    assert call("estimate", SMALL_VGG16.name, "--html", "page.html") == 0
    content, console = printed(tmp_path / "page.html", tmp_path)
    assert console == []
    assert content.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type /Page\b", content)) <= 8


@pytest.mark.rtl
def test_a_model_in_one_memory_shows_where_its_tensors_lie() -> None:
    options = ["--batch", "1", "--jobs", "1", *ON_SQUARE, "--json", "run.json", "--html", "run.html"]
    assert call("run", "digits", *options) == 0
    tensors = json.loads(Path("run.json").read_text())["tensor_memory"]["tensors"]
    assert len(tensors) == 9
    memory = map_of("run.html")
    (activations,) = [bar for bar in memory if bar["name"] == "activations"]
    assert activations["base"] == [tensor["start"] for tensor in tensors]
    assert activations["y"] == [tensor["bytes"] for tensor in tensors]
    # An estimate expects just that.
    assert call("estimate", "digits", *ON_SQUARE, "--html", "estimate.html") == 0
    assert map_of("estimate.html") == memory


def map_of(page: str) -> Any:  # noqa: ANN401 (of Plotly's making)
    """The bars of a page's memory map."""
    text = Path(page).read_text()
    (found,) = re.findall(r'<div id="memory"></div><script type="application/json">(.*?)</script>', text)
    return json.loads(found)[0]["data"]


def test_sparse_weights_have_the_room_of_their_streams() -> None:
    config = CONFIGS["4x4"]
    layer, operands, _ = random_sparse_layer(np.random.default_rng(7), config, SPARSE_FORMATS[0])
    compiled = compile_sparse(layer, operands, config)
    for stretches in (chained([compiled]), alone([compiled])):
        (weights,) = [stretch for stretch in stretches if stretch.kind == "weights"]
        assert weights.bytes == compiled.packed_weights(operands).nbytes
        above = min(stretch.start for stretch in stretches if stretch.start > weights.start)
        assert weights.start + weights.bytes <= above


@pytest.mark.rtl
def test_a_run_says_what_was_checked() -> None:
    assert call("run", "digits", "--layers", "/14/Conv", "--batch", "1", *ON_SQUARE, "--html", "run.html") == 0
    text = Path("run.html").read_text()
    for check in ("outputs equal golden's in every bit", "counters and events equal the timing model's"):
        assert re.search(rf'{check}</td><td><span class="good">yes</span>', text)
    assert 'id="timeline"' in text


def test_golden_has_no_time_and_so_no_figures() -> None:
    assert call("run", SMALL_VGG16.name, "--backend", "golden", "--html", "run.html") == 0
    text = Path("run.html").read_text()
    assert "data-figures" not in text.split("<script>")[0]
    assert len(text) < 50_000
    assert ">conv1_1<" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--html page.html --set rows=8,16", "--html draws one configuration, and the settings make 2"),
        ("--html none/page.html", "cannot write none/page.html: none is no folder"),
        ("--html one --json one", "--json and --html cannot both go to one"),
    ],
)  # fmt: skip
def test_pages_that_cannot_be_are_refused(options: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("estimate", SMALL_VGG16.name, *options.split()) == 2
    assert message in capsys.readouterr().err
    assert not list(Path().iterdir())
