"""The diagrams of docs/diagrams are drawn from the texts beside them, and the texts name what there is."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from wingrid.host.compiler import plan
from wingrid.hw.isa import Semaphore

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "docs" / "diagrams"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The script, which lies in no package."""
    spec = importlib.util.spec_from_file_location("draw_diagrams", SOURCES.parent / "draw_diagrams.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def source(name: str) -> dict[str, Any]:
    return tomllib.loads((SOURCES / f"{name}.toml").read_text())


def test_pictures_are_up_to_date(generator: ModuleType, tmp_path: Path) -> None:
    generator.draw(tmp_path)
    drawn = {path.name: path.read_text() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text() for path in SOURCES.glob("*.svg")}
    assert sorted(drawn) == sorted(kept) == sorted(f"{path.stem}.svg" for path in SOURCES.glob("*.toml"))
    outdated = [name for name in drawn if drawn[name] != kept[name]]
    assert not outdated, "python docs/draw_diagrams.py draws them anew"


def test_the_block_diagram_names_folders_and_files_that_exist() -> None:
    missing = []
    for folder in source("block-diagram")["folder"]:
        files = [file for box in folder["box"] for file in box["files"]]
        paths = [ROOT / file if file.startswith("hw/") else ROOT / folder["name"] / file for file in files]
        missing += [str(path.relative_to(ROOT)) for path in paths if not path.is_file()]
    assert not missing


def test_the_block_diagram_has_every_folder_of_the_hardware() -> None:
    drawn = {folder["name"] for folder in source("block-diagram")["folder"]}
    assert drawn == {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("hw/*/__init__.py")}


def test_the_block_diagram_has_every_semaphore() -> None:
    boxes = [box for folder in source("block-diagram")["folder"] for box in folder["box"]]
    words = " ".join(next(box for box in boxes if box["id"] == "semaphores")["lines"])
    counted = [name for name in (semaphore.name.lower().replace("_", " ") for semaphore in Semaphore) if name in words]
    assert len(counted) == len(Semaphore) == 7


def test_the_loop_nest_is_that_of_the_plan() -> None:
    nest = [line for line in (plan.__doc__ or "").splitlines() if line.startswith("    ")]
    levels = [level for level in source("loop-nest")["level"] if not level["name"].isupper()]
    assert [level["depth"] * 2 + 4 for level in levels] == [len(line) - len(line.lstrip()) for line in nest]
    for line, level in zip(nest, levels, strict=True):
        name, bracket, note = line.strip().partition("(")
        assert level["name"] == name.strip()
        assert not bracket or level["note"] == bracket + note


def test_the_weight_tiles_follow_each_other_as_the_picture_explains(generator: ModuleType) -> None:
    lanes = generator.weight_tile_lanes(source("weight-tiles"))["signal"]
    weights, _, take, vectors = lanes[:4]
    first, second = (cycle for cycle, value in enumerate(take["wave"]) if value == "1")
    assert vectors["data"] == ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"]
    assert vectors["wave"].strip("e.") == "44445555", "no bubble"
    assert [vectors["wave"].index(colour) for colour in "45"] == [first, second]
    assert weights["wave"].index("5") == first
    rows = [lane for lane in lanes if isinstance(lane, list)]
    for row, (_, shadow, active, activation) in enumerate(rows):
        assert shadow["wave"].index("5") == active["wave"].index("4") == first + row + 1
        assert [active["wave"].index(colour) for colour in "45"] == [activation["wave"].index(c) for c in "45"]
        assert active["data"] == [f"A{row}", f"B{row}"]
