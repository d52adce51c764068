"""The command: exit status, one sentence for bad input, nothing left behind."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from layer_cases import SQUARE
from PIL import Image

from wingrid.host.commands.app import main
from wingrid.host.execution.layer_result import LayerResult, Mismatch
from wingrid.host.execution.parallel import run_layers
from wingrid.host.networks.layer import Convolution, Layer

SMALL = [f"--set={name}={value}" for name, value in vars(SQUARE).items() if name != "bus_bytes"]


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "text.png").write_text("this is no picture")
    (tmp_path / "bad.toml").write_text("rows = = 3")
    (tmp_path / "float.toml").write_text("rows = 1.5")
    (tmp_path / "array.npy").write_bytes(b"nothing")
    np.save(tmp_path / "wrong.npy", np.zeros((3, 10, 10), np.int8))
    Image.new("RGB", (9, 8), (10, 20, 30)).save(tmp_path / "small.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "Missing command."),
        ("frobnicate", "No such command 'frobnicate'."),
        ("run", "Missing argument 'NETWORK'."),
        ("run vgg16 --jobs two", "Invalid value for '--jobs'"),
        ("run vgg16 --fast", "No such option: --fast"),
        ("run vgg", "unknown network 'vgg'; built in are vgg16, vgg16-conv, alexnet, gabor96, vgg16-compressed, "),
        ("run vgg16 --backend fpga", "unknown backend 'fpga'; there are "),
        ("run vgg16 --layers conv9_9", "network vgg16 has no layer 'conv9_9'; it has conv1_1, "),
        ("run vgg16 --batch 0", "--batch 0 must be at least 1"),
        ("run vgg16 --jobs 0", "jobs 0 must be at least 1"),
        ("run vgg16 --clock 0", "clock 0 must be a number of MHz above 0"),
        ("run vgg16 --latency 0", "memory timing latency = 0 must be a whole number from 1 to 2147483647"),
        ("run vgg16 --latency 99999999999", "memory timing latency = 99999999999 must be a whole number from 1 to "),
        ("run vgg16 --write-latency 0", "memory timing write_latency = 0 must be a whole number from 1 to "),
        ("run vgg16 --bytes-per-cycle 99", "memory timing bytes_per_cycle = 99 must lie between 1 and the bus width"),
        ("run vgg16 --memory fast", "unknown memory 'fast'; there are ideal, litex-axi, litex-wishbone"),
        ("run vgg16 --memory ideal --latency 3", "--memory ideal says all of the memory: --latency cannot go with it"),
        ("matmul 2 2 2 --memory ideal --dram", "--memory ideal says all of the memory: --dram cannot go with it"),
        (
            "filter small.png -k box -o out.png --memory ideal --bytes-per-cycle 4",
            "--memory ideal says all of the memory: --bytes-per-cycle cannot go with it",
        ),
        ("run vgg16 --waves a.fst", "--waves takes a single layer; choose one with --layers"),
        ("run vgg16 --trace a.json", "--trace takes a single layer; choose one with --layers"),
        ("run vgg16 --layers fc8 --trace none/a.json", "cannot write none/a.json: none is no folder"),
        ("run vgg16 --backend golden --layers fc8 --trace a.json", "trace needs the backend rtl"),
        ("run vgg16 --layers fc8 --waves none/a.fst", "cannot write none/a.fst: none is no folder"),
        ("run vgg16 --backend golden --layers fc8 --waves a.fst", "waves needs the backend rtl"),
        ("run vgg16 --json none/report.json", "cannot write none/report.json: none is no folder"),
        ("run vgg16 --csv text.png/report.csv", "cannot write text.png/report.csv: text.png is no folder"),
        ("run vgg16 --output .", "cannot write .: it is a folder"),
        ("run vgg16 --input absent.png", "cannot read absent.png: No such file or directory"),
        ("run vgg16 --input text.png", "text.png is no picture that can be read"),
        ("run vgg16 --input array.npy", "array.npy is no .npy file of numbers"),
        ("run vgg16 --input wrong.npy", "wrong.npy must hold int8 [1, 3, 224, 224], not int8 [3, 10, 10]"),
        ("run vgg16 --config bad.toml", "configuration bad.toml is not valid TOML: "),
        ("run vgg16 --config float.toml", "configuration field rows = 1.5 must be a whole number"),
        ("run vgg16 --config absent.toml", "cannot read configuration absent.toml: No such file or directory"),
        ("run vgg16 --set rows=1", "configuration field rows = 1 must lie between 2 and "),
        ("run vgg16 --set width=1", "unknown configuration field width in the settings; known are "),
        (
            "run vgg16 --set algorithm=winograd8",
            "unknown algorithm 'winograd8'; there are direct, winograd2, winograd4",
        ),
        (
            "run vgg16 --set winograd=0 --set algorithm=winograd4",
            "algorithm winograd4 needs winograd = 4 or more, not 0",
        ),
        ("filter small.png -k box -o out.png --set algorithm=fft", "unknown algorithm 'fft'; there are direct, "),
        ("matmul 2 2 2 --set algorithm=", "unknown algorithm ''; there are direct, winograd2, winograd4"),
        ("verilog -o folder --set algorithm=direct", "configuration field algorithm = 'direct' must be a whole number"),
        ("run vgg16 --set rows", "setting 'rows' must have the form field=value"),
        ("filter small.png -k blur -o out.png", "unknown kernel 'blur'; there are box, gaussian, sobel-x, sobel-y"),
        ("filter small.png -k array.npy -o out.png", "kernel array.npy is no .npy file of numbers"),
        ("filter small.png -k absent.npy -o out.png", "cannot read kernel absent.npy: No such file or directory"),
        ("filter text.png -k box -o out.png", "text.png is no picture that can be read"),
        ("filter absent.png -k box -o out.png", "cannot read absent.png: No such file or directory"),
        ("filter . -k box -o out.png", "cannot read .: Is a directory"),
        ("filter sample:cat -k box -o out.png", "unknown sample photograph 'cat'; there are china, flower"),
        ("filter small.png -k box -o none/out.png", "cannot write none/out.png: none is no folder"),
        ("filter small.png -k box -o out.txt", "cannot write out.txt: .txt stands for no picture format"),
        ("filter small.png -k box -o out", "cannot write out: a name without suffix stands for no picture format"),
        ("filter small.png -k box -o out.png --stride 0", "stride 0 must be at least 1"),
        ("matmul 0 1 1", "a matrix product of 0 1 1 must have sizes of at least 1"),
        ("matmul 2 2 2 --json none/x.json", "cannot write none/x.json: none is no folder"),
        ("verilog -o text.png", "cannot write into text.png: text.png is no folder"),
        ("verilog -o text.png/folder", "cannot write into text.png/folder: "),
        ("verilog -o folder --set cols=3.5", "configuration field cols = '3.5' must be a whole number"),
        ("networks --json none/n.json", "cannot write none/n.json: none is no folder"),
        ("networks vgg", "unknown network 'vgg'; built in are vgg16, vgg16-conv, alexnet, gabor96"),
        ("networks --footprint", "--footprint needs a network, one of vgg16, vgg16-conv, alexnet, gabor96"),
        ("networks alexnet --csv n.csv", "--csv needs --footprint"),
        ("networks alexnet --footprint --batch 0", "--batch 0 must be at least 1"),
        ("networks alexnet --footprint --csv none/n.csv", "cannot write none/n.csv: none is no folder"),
        ("networks alexnet --footprint --json none/n.json", "cannot write none/n.json: none is no folder"),
        ("networks alexnet --footprint --set rows=1", "configuration field rows = 1 must lie between 2 and "),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_sentence(
    arguments: str, message: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(files.rglob("*"))
    assert call(*arguments.split()) == 2
    output, error = capsys.readouterr()
    assert error.startswith(f"wingrid: {message}")
    assert error.count("\n") == 1
    assert output == ""
    assert sorted(files.rglob("*")) == before


def test_a_golden_run_writes_everything_asked_for(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "filter small.png -k box -o out.png --backend golden --json report.json --csv report.csv"
    assert call(*arguments.split()) == 0
    assert "filter-box on golden" in capsys.readouterr().out
    assert np.array_equal(np.array(Image.open("out.png")), np.array(Image.open("small.png")))
    assert json.loads(Path("report.json").read_text())["layers"][0]["name"] == "box"
    assert [row["operator"] for row in csv.DictReader(Path("report.csv").read_text().splitlines())] == ["conv"]


@pytest.mark.rtl
def test_with_json_on_standard_output_nothing_else_goes_there(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("matmul", 20, 30, 40, "--json", "-", "--output", "product.npy", *SMALL) == 0
    output, error = capsys.readouterr()
    found = json.loads(output)
    assert error == ""
    assert (found["backend"], found["config"]["rows"]) == ("rtl", 4)
    assert found["layers"][0]["operator"] == "matmul"
    assert found["layers"][0]["exact"] is True
    assert found["layers"][0]["cycles"] > 20 * 30 * 40 / 16
    assert np.load("product.npy").shape == (20, 40)


def test_a_memory_has_a_name(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cycles = {}
    for name in ("ideal", "litex-axi", "litex-wishbone"):
        assert call("estimate", "digits", *SMALL, "--memory", name, "--json", "-") == 0
        found = json.loads(capsys.readouterr().out)
        cycles[name] = found["total"]["cycles"]
        if name == "litex-axi":
            assert found["memory"]["latency"] == 3
            assert found["memory"]["bridge"] == {"read_beat": 3, "write_beat": 2}
    assert cycles["ideal"] < cycles["litex-axi"] < cycles["litex-wishbone"]
    assert call("estimate", "digits", *SMALL, "--memory", "litex-axi") == 0
    assert "latency 3, a beat in 3 cycles (writes 2)" in " ".join(capsys.readouterr().out.split())


@pytest.mark.rtl
def test_the_rtl_runs_behind_a_bridge_as_long_as_the_model_says(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("matmul", 20, 30, 40, "--memory", "litex-axi", "--json", "-", *SMALL) == 0
    [layer] = json.loads(capsys.readouterr().out)["layers"]
    assert (layer["exact"], layer["timing_equal"]) == (True, True)


@pytest.mark.rtl
def test_backends_agree(files: Path) -> None:
    for backend in ("golden", "rtl"):
        assert call("filter", "small.png", "-k", "gaussian", "--stride", 2, "-o", f"{backend}.png",
                    "--backend", backend, *SMALL) == 0  # fmt: skip
    assert np.array_equal(np.array(Image.open("golden.png")), np.array(Image.open("rtl.png")))


@pytest.mark.rtl
def test_the_report_names_the_algorithm_used(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = []
    for name in ("direct", "winograd2", "winograd4"):
        arguments = f"filter small.png -k sobel-x -o {name}.png --json - --set algorithm={name}"
        assert call(*arguments.split(), *SMALL) == 0
        [layer] = json.loads(capsys.readouterr().out)["layers"]
        assert (layer["algorithm"], layer["exact"]) == (name, True)
        pictures.append(np.array(Image.open(f"{name}.png")))
    assert np.array_equal(pictures[0], pictures[1])
    assert np.array_equal(pictures[0], pictures[2])


def test_selected_layers_run_from_their_golden_input(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "run alexnet --layers conv1,conv2 --backend golden --json - --output last.npy"
    assert call(*arguments.split()) == 0
    found = json.loads(capsys.readouterr().out)
    assert [layer["name"] for layer in found["layers"]] == ["conv1", "conv2"]
    assert found["total"]["images_per_second"] is None
    assert np.load("last.npy").shape == (1, 256, 13, 13)


def test_a_difference_from_golden_ends_with_status_1(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*arguments: object) -> list[LayerResult]:
        result = next(iter(run_layers(*arguments)))
        mismatch = Mismatch("box", 3, 216, (0, 1, 2, 3), -7, 5)
        return [LayerResult(result.layer, result.output, exact=False, mismatch=mismatch)]

    monkeypatch.setattr("wingrid.host.execution.network_run.run_layers", wrong)
    assert call("filter", "small.png", "-k", "box", "-o", "out.png", "--backend", "golden") == 1
    assert capsys.readouterr().err == (
        "wingrid: layer box: 3 of 216 elements differ from golden, the first at [0, 1, 2, 3] "
        "(image, channel, row, column): -7 in place of 5\n"
    )


def test_networks_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINGRID_CACHE", str(tmp_path))  # where nothing has been fetched
    assert call("networks", "--json", "-") == 0
    found = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["networks"]}
    assert set(found) == {
        "vgg16",
        "vgg16-conv",
        "alexnet",
        "gabor96",
        "vgg16-compressed",
        "alexnet-compressed",
        "digits",
        "digits-compressed",
        "waifu2x",
    }
    assert found["vgg16"]["weights"] == 138_344_128
    assert len(found["vgg16"]["layers"]) == 16
    assert len(found["digits"]["layers"]) == 8
    assert found["digits"]["input"] == [1, 32, 32]
    assert (found["waifu2x"]["input"], len(found["waifu2x"]["layers"])) == ([3, 78, 78], 7)
    assert call("networks") == 0
    assert "alexnet" in capsys.readouterr().out


def test_one_network_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("networks", "alexnet", "--json", "-") == 0
    assert [entry["name"] for entry in json.loads(capsys.readouterr().out)["networks"]] == ["alexnet"]


def test_a_footprint_is_shown_and_written(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "networks alexnet --footprint --batch 2 --json f.json --csv f.csv"
    assert call(*arguments.split(), "--set", "rows=8") == 0
    output, error = capsys.readouterr()
    assert error == ""
    assert "Memory that alexnet takes, 2 images" in output
    assert max(map(len, output.splitlines())) <= 120
    found = json.loads(Path("f.json").read_text())
    assert (found["network"], found["images"], found["config"]["rows"]) == ("alexnet", 2, 8)
    lines = {line["name"]: line for line in csv.DictReader(Path("f.csv").read_text().splitlines())}
    assert lines["conv1"]["values"] == str(2 * 96 * 55 * 55)
    assert lines["fc6"]["float32_weight_bytes"] == str(4 * 37_748_736)
    assert call("networks", "alexnet", "--footprint", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["images"] == 1


def test_a_whole_network_ends_in_classes(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "alexnet", "--backend", "golden", "--json", "whole.json", "--output", "logits.npy") == 0
    output = capsys.readouterr().out
    found = json.loads(Path("whole.json").read_text())
    assert [operation["after"] for operation in found["host_operations"]] == ["conv1", "conv2", "fc8"]
    [guesses] = found["guesses"]
    logits = np.load("logits.npy").reshape(-1).astype(int)
    assert [logits[guess["class"]] for guess in guesses] == sorted(logits)[:-6:-1]
    assert f"Likeliest classes of image 0: {guesses[0]['class']} (" in output
    assert "local response normalisation after conv1, conv2; softmax after fc8." in output


@pytest.mark.slow
def test_verilog_and_manifest_are_written(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("verilog", "-o", "made/here", "--set", "rows=2", "--set", "cols=2") == 0
    assert sorted(path.name for path in Path("made/here").iterdir()) == ["wingrid.json", "wingrid.v"]
    assert "made/here/wingrid.v" in capsys.readouterr().out
    assert (
        call("verilog", "-o", "made/ip", "--set", "rows=2", "--set", "cols=2", "--ip-wrapper", "--register-slices") == 0
    )
    assert sorted(path.name for path in Path("made/ip").iterdir()) == ["wingrid.json", "wingrid.v", "wingrid_ip.v"]
    assert "// Register slices on all AXI channels.\n" in Path("made/ip/wingrid.v").read_text()


@pytest.mark.slow
def test_a_package_is_written_and_documented(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("verilog", "-o", "ip", "--package", *SMALL) == 0
    written = {path.name for path in Path("ip").iterdir()}
    assert set(capsys.readouterr().out.splitlines()) == {f"ip/{name}" for name in written}
    document = (Path(__file__).parents[3] / "docs" / "package.md").read_text()
    cells = [row.split("|")[1] for row in document.splitlines() if row.startswith("| `")]
    assert {name for cell in cells for name in re.findall(r"`(.*?)`", cell)} == written


@pytest.mark.parametrize(
    ("options", "runner"),
    [
        ("--jobs 1 --batch 2", "chain of 2"),
        ("--jobs 2", "side by side"),
        ("--jobs 1 --layers conv1,conv2", "side by side"),
        ("--jobs 1 --backend golden", "side by side"),
    ],
)
def test_a_whole_network_runs_in_one_memory_if_layers_run_one_by_one(
    options: str, runner: str, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []
    layer = Layer("conv1", "conv", Convolution(1, 1, 1, 1))

    def chain(jobs: object, setup: object, listener: object, *, images: int) -> list[LayerResult]:
        called.append(f"chain of {images}")
        return [LayerResult(layer, np.zeros((1, 1, 1, 1), np.int8))]

    def apart(jobs: object, setup: object, listener: object) -> list[LayerResult]:
        called.append("side by side")
        return [LayerResult(layer, np.zeros((1, 1, 1, 1), np.int8))]

    monkeypatch.setattr("wingrid.host.execution.network_run.run_chain", chain)
    monkeypatch.setattr("wingrid.host.execution.network_run.run_layers", apart)
    assert call("run", "alexnet", *options.split()) == 0
    assert called == [runner]
