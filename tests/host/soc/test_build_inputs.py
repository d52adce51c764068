"""A SoC's folder comes back as it was written, and what is wrong with one is told in a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_calls import call
from soc_folders import TINY, digits_folder

from wingrid.host.errors import UserError
from wingrid.host.onnx_models.bundled import labelled_digits
from wingrid.host.package.package import package_files
from wingrid.host.soc.build_inputs import PACKAGED, BuildInputs, write_build_inputs
from wingrid.host.soc.layout import INPUTS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("soc")
    digits_folder(directory, samples=2)
    return directory


def test_samples_are_the_test_digits_and_outputs_those_of_onnxruntime(folder: Path) -> None:
    inputs, digits = BuildInputs.load(folder), labelled_digits(2, "golden")
    assert inputs.samples == 2
    assert np.array_equal(inputs.inputs["x"][:, 0], digits.images)
    assert inputs.outputs["y"].shape == (2, 1, 10)
    assert inputs.outputs["y"].argmax(axis=2).ravel().tolist() == digits.labels.tolist()
    assert inputs.image.config == TINY


def test_the_accelerator_is_the_whole_package(folder: Path) -> None:
    files = package_files(TINY)
    assert {path.name: path.read_bytes() for path in (folder / "hardware").iterdir()} == files
    assert BuildInputs.load(folder).hardware == {name: files[name] for name in PACKAGED}


def damaged(folder: Path, directory: Path) -> Path:
    """A copy to break."""
    for path in folder.rglob("*.*"):
        copy = directory / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return directory


def test_what_is_no_such_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no network for a SoC: there is no image/image.json in it$"):
        BuildInputs.load(tmp_path)
    broken = damaged(folder, tmp_path)
    (broken / INPUTS).write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"inputs.npz holds no arrays$"):
        BuildInputs.load(broken)
    np.savez(broken / INPUTS, z=np.zeros(3))
    with pytest.raises(UserError, match=r"inputs.npz holds z, not x$"):
        BuildInputs.load(broken)
    np.savez(broken / INPUTS, x=np.zeros((2, 3), np.int8))
    with pytest.raises(UserError, match=r"samples of x must be float32 \[1, 1, 32, 32\], not int8 \[3\]$"):
        BuildInputs.load(broken)
    np.savez(broken / INPUTS, x=np.zeros((1, 1, 1, 32, 32), np.float32))
    with pytest.raises(UserError, match=r"do not hold as many samples of everything, one at least$"):
        BuildInputs.load(broken)
    (broken / INPUTS).unlink()
    with pytest.raises(UserError, match=r"^cannot read .*inputs.npz: No such file or directory$"):
        BuildInputs.load(broken)


def test_no_samples_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^0 images must be at least 1$"):
        write_build_inputs(tmp_path / "new", "digits", TINY, samples=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("soc", "Missing argument 'DIR'."),
        ("soc nothing", "nothing holds no network for a SoC: there is no image/image.json in it"),
        ("soc file/folder", "cannot write into file/folder: "),
        ("soc new --images 2", "--images goes with --network: new has its accelerator already"),
        ("soc new --set rows=2", "--set goes with --network: new has its accelerator already"),
        ("soc new --network digits --memory ideal", "no SoC has the memory ideal; there are litex-axi, litex-wishbone"),
        ("soc new --network digits --set address_bits=40", "configuration field address_bits = 40 must be 32"),
        ("soc new --network digits", "configuration field bus_bytes = 16 must be 4, as the SoC's bus has"),
        ("soc new --network vgg --set rows=4 --set cols=4", "unknown network 'vgg'; built in are "),
        ("soc new --network digits --set rows=4 --set cols=4 --images 501", "501 digits must lie between 1 and 500"),
        ("soc new --network digits --json none/x.json", "cannot write none/x.json: none is no folder"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_sentence(
    arguments: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert call(*arguments.split()) == 2
    output, error = capsys.readouterr()
    assert error.startswith(f"wingrid: {message}")
    assert (error.count("\n"), output) == (1, "")
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]
