"""Published figures beside estimates: what is known of them, what is estimated, and the page."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from command_calls import call

from wingrid import MemoryTiming, estimate
from wingrid.host.fidelity.comparison import WORTH_A_REASON, compare
from wingrid.host.fidelity.published import find_published, published

ROOT = Path(__file__).parents[3]


def test_times_are_no_shorter_than_the_multipliers_allow() -> None:
    """Otherwise a figure, a clock or a number of multipliers is wrong: direct convolution has no other way."""
    for other in published().values():
        if other.milliseconds:
            assert other.multipliers == (other.rows or 0) * (other.cols or 0)
            for row in compare(other).rows:
                assert row.their_use <= 1


def test_an_estimate_has_the_other_accelerator_s_size() -> None:
    found = compare(find_published("cnn_accel-m32p64", "vgg16"))
    here = estimate("vgg16", rows=32, cols=64, algorithm="direct", memory=MemoryTiming(bytes_per_cycle=40))
    cycles = {layer["name"]: layer["cycles"] for layer in here.as_dict()["layers"]}
    assert {row.layer: row.direct for row in found.rows[:-1]} == {name: count / 400e3 for name, count in cycles.items()}
    whole = found.rows[-1]
    assert (whole.layer, whole.direct) == ("all", sum(cycles.values()) / 400e3)
    # The sum that the source's rows make, poolings included.
    assert whole.theirs == pytest.approx(29.205, abs=0.001)
    for row in found.rows:
        assert (row.reason is not None) == (abs(row.direct / row.theirs - 1) > WORTH_A_REASON)
    reasons = {row.layer: row.reason or "" for row in found.rows}
    assert "64 pixels at a time fill 77% of their places on 14x14 outputs" in reasons["conv5_1"]
    assert "the bus is busy" in reasons["conv1_1"]


def test_gops_become_the_time_of_an_image() -> None:
    """62.54 GOP/s over the 2 x 15.3466 GMACs of the convolutions."""
    other = published()["qiu2021"]
    assert other.total_milliseconds == pytest.approx(2 * 15.346630656 / 62.54 * 1000)
    assert published()["perri2020"].total_milliseconds == pytest.approx(84.75, abs=0.01)


def test_the_command_tells_figures_ratios_and_the_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("compare", "vgg16", "--with", "cnn_accel-m64p64", "--json", "-") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["with"]["multipliers"] == 4096
    assert [layer["layer"] for layer in found["layers"]][-1] == "all"
    for layer in found["layers"]:
        assert layer["ratio"] == round(layer["theirs"] / layer["direct"], 4)
    assert call("compare", "vgg16", "--with", "fused2016") == 0
    output = capsys.readouterr().out
    assert "conv1_1 to conv3_1" in output
    assert "pmilder.ece.stonybrook.edu" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("vgg16 --with eyeriss", "nothing published goes by the name 'eyeriss'; there are cnn_accel-m32p32, "),
        ("alexnet --with qiu2021", "qiu2021 published figures of vgg16-conv, and none of alexnet"),
        ("vgg --with qiu2021", "unknown network 'vgg'; built in are "),
        ("vgg16 --with huang2018", "huang2018 (https://doi.org/10.1088/1742-6596/1026/1/012019, abstract) does not "),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(arguments: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("compare", *arguments.split()) == 2
    assert capsys.readouterr().err.startswith(f"wingrid: {message}")


def test_the_page_is_what_its_command_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from tests.bench.fidelity import DOCUMENT, text

    assert DOCUMENT.read_text() == text()
