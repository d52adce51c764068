"""What cannot be built gets a sentence and status 2, and nothing is left behind."""

from pathlib import Path

import pytest
from command_calls import call

TINY = """
[tiny]
maker = "a chip for tests"
family = "ecp5"
speeds = ["6"]
logic = 4000
multipliers = 8
memories = 8
memory_bits = 18432
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("nothing --target ulx3s", "unknown network 'nothing'; built in are "),
        ("digits --target ulx4s", "unknown target 'ulx4s'; there are ecp5-25k-6/7/8"),
        ("digits --target gw2a-18", "of the family gw2a no areas were synthesised"),
        ("digits --target tiny.toml", "tiny-6 has no room: the smallest accelerator takes "),
        ("digits --target xc7z020 --fps 10", "--fps needs a clock: Wingrid has no tool that places and routes AMD"),
        ("digits --target ulx3s --fps -1", "--fps -1 must be above 0"),
        ("digits --target ulx3s --objective speed", "unknown objective 'speed'; there are images-per-second, energy"),
        ("digits --target ulx3s --set rows=1", "configuration field rows = 1 must lie between 2 and 64"),
        ("digits --target pynq-z2 --bitstream", "--bitstream is for the board ulx3s, not for pynq-z2"),
        ("digits --target ecp5-85k-6 --bitstream", "--bitstream is for the board ulx3s, not for ecp5-85k-6"),
        ("digits --target ulx3s --bitstream --clock 50", "--clock does not go with --bitstream"),
        ("digits --target ulx3s --bitstream --set bus_bytes=8", "configuration field bus_bytes = 8 must be 4"),
        ("vgg16 --target ulx3s --bitstream", "the smallest accelerator with what is beside it takes 3"),
        ("digits --target ulx3s --clock 0", "clock 0 must be a number of MHz above 0"),
        ("digits --target xc7a35t --clock 100 --fps 1e9", "--fps 1e+09 is out of reach on xc7a35t-1: "),
        ("missing.onnx --target ulx3s", "missing.onnx"),
    ],
)
def test_bad_input_gets_one_sentence(
    arguments: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.toml").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    assert call("build", *arguments.split(), "--no-route", "-o", "built") == 2
    told = capsys.readouterr().err
    assert message in told
    assert len(told.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    assert call("build", "digits", "--target", "ulx3s", "-o", tmp_path) == 2
    assert f"{tmp_path} holds something that is no build" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_place_where_nothing_can_be_made_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    assert call("build", "digits", "--target", "ulx3s", "-o", tmp_path / "file" / "built") == 2
    assert "cannot write into" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "", "{}", '{"receipt": 99}', '{"receipt": 1, "order": {}}'])
def test_a_folder_that_is_no_build_is_not_checked(
    content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "receipt.json").write_text(content)
    assert call("check", tmp_path) == 2
    assert "receipt.json" in capsys.readouterr().err
