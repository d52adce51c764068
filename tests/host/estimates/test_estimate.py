"""``wingrid estimate`` and its Python form: tables, JSON, CSV, plots, lists of settings, and what is refused."""

import builtins
import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from small_networks import SMALL_ALEXNET, SMALL_VGG16

from wingrid import estimate, sweep
from wingrid.host.commands.app import main
from wingrid.host.errors import UserError
from wingrid.host.estimates.sweep import combinations
from wingrid.host.networks.built_in import BUILT_IN
from wingrid.hw.config import AcceleratorConfig, ConfigError
from wingrid.sim.memory import Dram, MemoryTiming

ENERGIES = ["multiply_add", "buffers", "dram", "total"]


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture(autouse=True)
def small_networks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The small networks as commands find them, and a folder of their own."""
    for network in (SMALL_VGG16, SMALL_ALEXNET):
        monkeypatch.setitem(BUILT_IN, network.name, network)
    monkeypatch.chdir(tmp_path)


def test_an_estimate_for_register_slices_has_both_latencies(capsys: pytest.CaptureFixture[str]) -> None:
    further = ["--latency", "42", "--write-latency", "3"]
    assert call("estimate", "small-alexnet", "--json", "-", *further) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["memory"] == {"latency": 42, "bytes_per_cycle": 16, "dram": None, "write_latency": 3, "bridge": None}
    cycles = [
        estimate("small-alexnet", memory=memory).as_dict()["total"]["cycles"]
        for memory in (MemoryTiming(40), MemoryTiming(42), MemoryTiming(42, write_latency=3))
    ]
    assert found["total"]["cycles"] == cycles[2] > cycles[1] > cycles[0]
    assert call("estimate", "small-alexnet", *further) == 0
    assert "(16x16, latency 42 (writes 3), 16 bytes/cycle)" in capsys.readouterr().out


def test_an_estimate_has_the_form_of_every_report(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "estimate small-vgg16 --json - --clock 100 --latency 30 --bytes-per-cycle 8 --batch 2"
    assert call(*arguments.split()) == 0
    output, error = capsys.readouterr()
    assert error == ""
    found = json.loads(output)
    assert (found["network"], found["backend"], found["images"]) == ("small-vgg16", "timing", 2)
    assert found["memory"] == {"latency": 30, "bytes_per_cycle": 8, "dram": None, "write_latency": 1, "bridge": None}
    layers, total = found["layers"], found["total"]
    assert [layer["name"] for layer in layers] == [layer.name for layer in SMALL_VGG16.layers()]
    unknown = [name for name, value in layers[5].items() if value is None]
    assert unknown == ["pool", "unfolded", "sections", "exact", "timing_equal"]
    of_models = ["macs_array", "macs_host", "segments", "crossing_bytes"]
    assert [name for name, value in total.items() if value is None] == ["rtl_cycles_per_second", *of_models]
    for layer in layers:
        assert layer["cycles"] == layer["busy"] + sum(layer["stalls"].values())
        assert layer["utilisation"] == round(layer["busy"] / layer["cycles"], 4)
        assert layer["macs_per_byte"] == round(layer["macs"] / layer["dram_bytes"], 4)
        assert layer["macs_per_cycle"] == round(layer["macs"] / layer["cycles"], 4)
        assert list(layer["energy_uj"]) == ENERGIES
        assert layer["energy_uj"]["dram"] == round(layer["dram_bytes"] * 160 / 1e6, 3)
    assert total["cycles"] == sum(layer["cycles"] for layer in layers) == sum(total["bound_cycles"].values())
    assert total["images_per_second"] == round(2 * 100e6 / total["cycles"], 3)
    for name in ENERGIES:
        assert total["energy_uj"][name] == pytest.approx(sum(layer["energy_uj"][name] for layer in layers), abs=0.02)
        assert total["energy_per_image_uj"][name] == pytest.approx(total["energy_uj"][name] / 2, abs=0.001)


def test_the_table_fits_and_names_what_bounds_each_layer(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("estimate", "small-alexnet", "--csv", "layers.csv", "--clock", "200") == 0
    output, error = capsys.readouterr()
    assert error == ""
    lines = output.splitlines()
    assert lines[0].startswith("small-alexnet, estimated (16x16, latency 40, 16 bytes/cycle)")
    assert max(map(len, lines)) <= 120
    rows = list(csv.DictReader(Path("layers.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == [layer.name for layer in SMALL_ALEXNET.layers()]
    for row in rows:
        [line] = [line.split() for line in lines if line.split()[:1] == [row["name"]]]
        assert line[1:4] == [row["algorithm"], f"{int(row['macs']) / 1e6:,.1f}", f"{int(row['cycles']):,}"]
        assert line[6] == row["bound"]
    shares = next(line for line in lines if line.startswith("Cycles in layers bound by "))
    assert all(row["bound"] in shares for row in rows)
    assert any(line.startswith("On the host, not in these figures: ") for line in lines)
    assert any(" images per second at 200 MHz, assumed; " in line for line in lines)


def test_a_memory_with_rows_and_refresh_takes_longer(capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for options in ([], ["--dram"]):
        assert call("estimate", "small-alexnet", "--json", "-", *options) == 0
        found.append(json.loads(capsys.readouterr().out))
    ideal, real = found
    assert ideal["memory"] == {"latency": 40, "bytes_per_cycle": 16, "dram": None, "write_latency": 1, "bridge": None}
    assert real["memory"] == {**ideal["memory"], "dram": dataclasses.asdict(Dram())}
    assert ideal["total"]["bytes"] == real["total"]["bytes"]
    assert ideal["total"]["cycles"] < real["total"]["cycles"] < 2 * ideal["total"]["cycles"]
    assert call("estimate", "small-alexnet", "--dram") == 0
    assert "(16x16, latency 40, 16 bytes/cycle, DRAM)" in capsys.readouterr().out
    assert (
        estimate("small-alexnet", memory=MemoryTiming(dram=Dram())).as_dict()["total"]["cycles"]
        == real["total"]["cycles"]
    )


def test_some_layers_make_no_images(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("estimate", "small-alexnet", "--layers", "fc7,conv2", "--json", "-") == 0
    found = json.loads(capsys.readouterr().out)
    assert [layer["name"] for layer in found["layers"]] == ["conv2", "fc7"]
    assert found["total"]["images_per_second"] is found["total"]["energy_per_image_uj"] is found["images"] is None
    assert call("estimate", "small-alexnet", "--layers", "fc7", "--set", "rows=8,16") == 0
    assert "images per second" not in (output := capsys.readouterr().out)
    assert [line.split()[-1] for line in output.splitlines() if line.split()[:1] in (["8"], ["16"])] == ["-", "-"]


def test_several_settings_make_a_line_for_each_combination(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "estimate small-alexnet --set rows=4,8 --set queue_depth=4 --set algorithm=direct,winograd4"
    assert call(*arguments.split(), "--csv", "all.csv", "--json", "all.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    combined = [(rows, algorithm) for rows in ("4", "8") for algorithm in ("direct", "winograd4")]
    assert [tuple(line.split()[:2]) for line in lines if line.split()[:1] in (["4"], ["8"])] == combined
    found = json.loads(Path("all.json").read_text())
    assert [tuple(report["settings"].values()) for report in found] == combined
    assert [report["config"]["rows"] for report in found] == [4, 4, 8, 8]
    assert {report["config"]["queue_depth"] for report in found} == {4}
    assert {layer["algorithm"] for layer in found[0]["layers"]} == {"direct"}
    assert {layer["algorithm"] for layer in found[1]["layers"]} == {"direct", "winograd4"}
    rows = list(csv.DictReader(Path("all.csv").read_text().splitlines()))
    assert list(rows[0])[:3] == ["settings.rows", "settings.algorithm", "name"]
    assert [(row["settings.rows"], row["settings.algorithm"]) for row in rows[::8]] == combined
    assert len(rows) == 4 * 8
    for report, variant in zip(found, (rows[8 * i : 8 * i + 8] for i in range(4)), strict=True):
        assert [row["cycles"] for row in variant] == [str(layer["cycles"]) for layer in report["layers"]]


def test_settings_combine_in_order_and_later_ones_win() -> None:
    assert combinations([]) == [{}]
    assert combinations(["rows=4"]) == [{"rows": "4"}]
    assert combinations(["a=1,2", " b = 3 , 4 ", "a=5,5,6"]) == [
        {"a": "5", "b": "3"},
        {"a": "5", "b": "4"},
        {"a": "6", "b": "3"},
        {"a": "6", "b": "4"},
    ]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_plot_is_drawn(suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"plot{suffix}"
    for _ in range(2):
        assert call("estimate", "small-alexnet", "--plot", name) == 0
        assert "small-alexnet, estimated" in capsys.readouterr().out
    content = Path(name).read_bytes()
    estimate("small-alexnet").plot(f"again{suffix}")
    assert Path(f"again{suffix}").read_bytes() == content
    if suffix == ".png":
        with Image.open(name) as picture:
            assert min(picture.size) > 500
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 100
    else:
        text = content.decode()
        assert text.startswith("<?xml")
        assert text.count("<!-- conv5 -->") >= 2


def test_an_estimate_is_a_data_frame() -> None:
    found = estimate("small-alexnet", rows=8, layers=["conv2", "fc6"], memory=MemoryTiming(20))
    frame = found.frame()
    assert list(frame.index) == ["conv2", "fc6"]
    layers = found.as_dict()["layers"]
    assert frame["cycles"].tolist() == [layer["cycles"] for layer in layers]
    assert frame.loc["fc6", "bytes.weights"] == layers[1]["bytes"]["weights"]
    assert frame.loc["conv2", "energy_uj.dram"] == layers[0]["energy_uj"]["dram"]
    assert found.as_dict()["config"]["rows"] == 8
    text = found._repr_html_()
    assert text.startswith("<pre")
    assert all(word in text for word in ("conv2", "fc6", f"{layers[0]['cycles']:,}"))


def test_a_sweep_is_a_data_frame_with_a_line_per_configuration() -> None:
    base = AcceleratorConfig(queue_depth=4)
    found = sweep("small-alexnet", config=base, rows=[4, 8], cols=(8,), batch=2, clock=100)
    frame = found.frame()
    assert list(frame.index) == [4, 8]
    reports = [one.as_dict() for one in found.estimates()]
    assert [report["config"]["queue_depth"] for report in reports] == [4, 4]
    assert [report["images"] for report in reports] == [2, 2]
    assert frame["cycles"].tolist() == [report["total"]["cycles"] for report in reports]
    assert "multi-" in found._repr_html_()
    single = sweep("small-alexnet", rows=4, layers=["fc8"])
    assert len(single.frame()) == 1
    assert "fc8" in single._repr_html_()


def test_what_cannot_be_estimated_is_refused_in_python_too() -> None:
    for attempt, error, message in (
        (lambda: estimate("vgg"), UserError, "unknown network 'vgg'; built in are "),
        (lambda: estimate("vgg16", rows=1), ConfigError, "configuration field rows = 1 must lie between 2 and 64"),
        (lambda: estimate("vgg16", rows="4,8"), UserError, "an estimate takes one configuration, not 2: use sweep"),
        (lambda: estimate("vgg16", batch=0), UserError, "batch = 0 must be at least 1"),
        (lambda: estimate("vgg16", layers=["fc9"]), UserError, "network vgg16 has no layer 'fc9'; it has "),
        (lambda: sweep("vgg16", rows=[4, 1]), UserError, "rows=1: configuration field rows = 1 must lie between "),
        (
            lambda: estimate("small-alexnet").plot("plot.pdf"),
            UserError,
            "cannot plot into plot.pdf: its name must end ",
        ),
    ):
        with pytest.raises(error) as caught:
            attempt()
        assert str(caught.value).startswith(message)


def test_without_pandas_a_frame_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without_pandas(name: str, *arguments: object, **options: object) -> object:
        if name == "pandas":
            raise ImportError(name)
        return imported(name, *arguments, **options)

    found = estimate("small-alexnet", layers=["fc8"])
    monkeypatch.setattr(builtins, "__import__", without_pandas)
    with pytest.raises(
        UserError, match=r"^a data frame needs pandas; install it with: pip install 'wingrid\[notebook\]'$"
    ):
        found.frame()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("estimate", "Missing argument 'NETWORK'."),
        ("estimate vgg", "unknown network 'vgg'; built in are "),
        ("estimate vgg16 --layers conv9_9", "network vgg16 has no layer 'conv9_9'; it has conv1_1, "),
        ("estimate vgg16 --batch 0", "--batch 0 must be at least 1"),
        ("estimate vgg16 --clock 0", "clock 0 must be a number of MHz above 0"),
        ("estimate vgg16 --set rows", "setting 'rows' must have the form field=value or field=value,value,..."),
        ("estimate vgg16 --set rows=1", "configuration field rows = 1 must lie between 2 and 64"),
        ("estimate vgg16 --set rows=8,", "rows=: configuration field rows = '' must be a whole number"),
        ("estimate vgg16 --set rows=8,x --set cols=4,8", "rows=x, cols=4: configuration field rows = 'x' must be "),
        ("estimate vgg16 --set width=1,2", "width=1: unknown configuration field width in the settings; known are "),
        ("estimate vgg16 --set algorithm=direct,fft", "algorithm=fft: unknown algorithm 'fft'; there are direct, "),
        ("estimate vgg16 --bytes-per-cycle 8 --set rows=2,4 --set cols=4",
         "rows=2, cols=4: memory timing bytes_per_cycle = 8 must lie between 1 and the bus width of 4 bytes"),
        ("estimate vgg16 --plot plot.pdf", "cannot plot into plot.pdf: its name must end in .png or .svg"),
        ("estimate vgg16 --plot none/plot.png", "cannot write none/plot.png: none is no folder"),
        ("estimate vgg16 --plot plot.png --set rows=8,16 --set cols=8,16",
         "--plot draws one configuration, and the settings make 4"),
        ("estimate vgg16 --json none/e.json", "cannot write none/e.json: none is no folder"),
        ("estimate vgg16 --csv none/e.csv", "cannot write none/e.csv: none is no folder"),
        ("run small-vgg16 --backend timing --output y.npy",
         "--output needs a backend that computes values: timing only tells how long they take"),
        ("run small-vgg16 --backend timing --input x.npy", "--input needs a backend that computes values: "),
        ("run small-vgg16 --backend timing --layers fc8 --waves a.fst", "waves needs the backend rtl"),
        ("matmul 2 2 2 --backend timing --output y.npy", "--output needs a backend that computes values: timing only "),
        ("filter sample:china -k box -o out.png --backend timing",
         "--output needs a backend that computes values: timing only "),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_sentence(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert call(*arguments.split()) == 2
    output, error = capsys.readouterr()
    assert error.startswith(f"wingrid: {message}")
    assert error.count("\n") == 1
    assert output == ""
    assert list(tmp_path.rglob("*")) == []


def test_what_would_take_a_quarter_of_an_hour_is_refused_within_a_minute() -> None:
    """The smallest accelerator that there can be takes a thousand million instructions for VGG-16."""
    smallest = {
        "rows": 2, "cols": 2, "winograd": 0, "input_buffer": 16, "weight_buffer": 16, "accumulators": 4,
        "parameter_blocks": 2, "output_buffer": 16, "queue_depth": 2, "fetch_ahead": 2, "burst_beats": 1,
        "reads_in_flight": 1, "writes_in_flight": 1,
    }  # fmt: skip
    settings = [f"--set={name}={value}" for name, value in smallest.items()]
    command = [sys.executable, "-m", "wingrid", "estimate", "vgg16", *settings]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "wingrid: layer conv1_2 takes more than the 16777215 instructions that a program can have; "
        "larger buffers need fewer\n"
    )


def test_an_estimate_loads_nothing_that_it_does_not_need() -> None:
    """The gateware neither, once it has said how long everything takes on this accelerator."""
    code = (
        "import sys\n"
        "from wingrid.host.commands.app import main\n"
        "try:\n"
        "    main(['estimate', 'alexnet', '--layers', 'fc8', '--json', '/dev/null', '--set', 'queue_depth=4'])\n"
        "finally:\n"
        "    print('modules', *{name.partition('.')[0] for name in sys.modules})\n"
    )
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.partition("modules")[2].split()
    assert "numpy" in loaded
    unwanted = {"amaranth", "PIL", "matplotlib", "pandas", "sklearn", "scipy", "onnx", "onnxruntime", "plotly", "dask"}
    assert not unwanted & set(loaded)
