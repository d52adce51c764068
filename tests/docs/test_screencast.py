"""The screencast is what was recorded, the recording what `make run` does, its figures what that prints today."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest

from wingrid import estimate

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def screencast() -> ModuleType:
    """The script, which lies in no package."""
    spec = importlib.util.spec_from_file_location("record_screencast", ROOT / "docs" / "record_screencast.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its data classes look
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def printed(screencast: ModuleType) -> str:
    """All that the run has written, without what moves the cursor and chooses colours."""
    recording = screencast.Recording.read(screencast.RECORDING)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", "".join(text for _, text in recording.events)).replace("\r", "")


def test_the_picture_is_drawn_from_the_recording(screencast: ModuleType) -> None:
    drawn = screencast.drawn(screencast.Recording.read(screencast.RECORDING))
    assert drawn == screencast.PICTURE.read_text(), "python docs/record_screencast.py --draw draws it anew"


def test_the_recorded_commands_are_those_of_make_run(printed: str) -> None:
    meant = subprocess.run(
        ["make", "--no-print-directory", "-n", "-o", ".venv/.installed", "run"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    commands = [line for line in printed.splitlines() if line.startswith(("mkdir ", ".venv/"))]
    assert len(meant) == 7
    assert commands == meant


def test_the_figures_are_those_that_the_run_prints_today(printed: str) -> None:
    """By the timing model, which equals the RTL; every line says so of itself."""
    report = estimate("vgg16").as_dict()
    lines = {line.split()[0]: line.split() for line in printed.splitlines() if line.startswith(" ") and line.split()}
    for layer in report["layers"]:
        shown = lines[layer["name"]]
        assert f"{layer['cycles']:,}" in shown, layer["name"]
        assert f"{layer['bytes']['weights'] / 1e6:,.2f}" in shown, layer["name"]
        assert shown[-1] == "yes/yes"
    assert f" {report['total']['cycles']:,} " in printed
    assert f"{report['total']['cycles']:,} cycles per image" in printed


def test_the_end_stays_for_those_who_see_nothing_move(screencast: ModuleType) -> None:
    """Whatever draws the SVG without animation shows the last screen, whole."""
    recording = screencast.Recording.read(screencast.RECORDING)
    *_, (_, last) = screencast.screens(recording)
    tree = ET.parse(screencast.PICTURE).getroot()
    texts = {
        group.attrib["id"]: ["".join(text.itertext()) for text in group] for group in tree.find(f"{SVG}defs") or ()
    }
    seen = {
        int(use.attrib["y"]): texts[use.attrib["href"].removeprefix("#")]
        for use in tree.findall(f"{SVG}use")
        if use.attrib.get("visibility") != "hidden"
    }
    lines = [screencast.text_of(line) for line in last if line]
    assert len(lines) > 20
    assert [" ".join(" ".join(seen[row]).split()) for row in sorted(seen)] == [" ".join(line.split()) for line in lines]
