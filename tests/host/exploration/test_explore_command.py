"""``wingrid explore``, ``wingrid.explore`` and ``wingrid build --point``: one result in all forms, and refusals."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from pathlib import Path

import pytest
from browser import browser, looked_at
from command_calls import call
from explorations import SMALL

import wingrid
from wingrid.host.builds.order import Order
from wingrid.host.commands.interruption import Interrupted
from wingrid.host.errors import UserError
from wingrid.host.exploration.exact import Exact, Job
from wingrid.host.fitting.fit import Wanted

SPACE = {**SMALL, "rows": [4, 6], "cols": "rows", "latency": [40], "accumulators": [450]}
OPTIONS = ("deep", "--target", "ecp5-45k-6", "--clock", "50", "--space", "space.toml", "--scheduler", "here")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a space."""
    folder = tmp_path_factory.mktemp("home")
    lines = (f"{name} = {json.dumps(values)}\n" for name, values in SPACE.items())
    (folder / "space.toml").write_text("".join(lines))
    return folder


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)


@pytest.fixture(scope="module")
def result(home: Path) -> dict:
    """What a search has left, of two limits that leave something out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        assert call("explore", *OPTIONS, "--store", "kept", "-o", "found", "--limit", "lut=30000,dsp=60") == 0
    return json.loads((home / "found" / "explore.json").read_text())


def test_all_forms_tell_the_same(result: dict) -> None:
    import pandas

    front = result["front"]
    assert [point["point"] for point in front] == list(range(1, len(front) + 1))
    rates = [point["images-per-second"] for point in front]
    assert rates == sorted(rates, reverse=True)
    rows = list(csv.DictReader(io.StringIO(Path("found/explore.csv").read_text())))
    assert len(rows) == result["search"]["exactly_timed"]
    by_number = {int(row["point"]): row for row in rows if row["point"]}
    table = pandas.read_parquet("found/explore.parquet")
    assert len(table) == len(rows)
    for point in front:
        row = by_number[point["point"]]
        assert float(row["images-per-second"]) == point["images-per-second"]
        assert int(row["config.rows"]) == point["config"]["rows"]
        kept = table[table["point"] == point["point"]].iloc[0]
        assert kept["cycles"] == point["cycles"]
        assert point["lut"] <= 30000
        assert point["dsp"] <= 60


def test_pictures_need_no_network(result: dict) -> None:
    page = Path("found/front.html").read_text()
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"']http", page)
    assert len(page) > 1_000_000
    for point in result["front"]:
        assert re.search(rf"point {point['point']}\b", page)
    assert Path("found/front.png").read_bytes().startswith(b"\x89PNG")
    assert "svg" in Path("found/front.svg").read_text()[:300]


@pytest.mark.skipif(
    browser() is None and not os.environ.get("CI"), reason="Chromium is not there; where CI is set it has to be"
)
def test_a_browser_shows_the_page_of_the_front(result: dict, tmp_path: Path) -> None:
    """Each point has a place and a line, the mouse finds its words, nothing is fetched, and nobody complains."""
    page = Path("found/front.html")
    action = """
        const plot = document.querySelector(".js-plotly-plot");
        const front = plot.data.findIndex(trace => trace.name == "front");
        Plotly.Fx.hover(plot, [{curveNumber: front, pointNumber: 1}]);
        const marks = [...plot.querySelectorAll(".scatterlayer .trace")].map(t => t.querySelectorAll(".point").length);
        return {marks: marks, told: plot.querySelector(".hoverlayer").textContent};
    """
    seen, console = looked_at(page, tmp_path, 1200, action)
    assert console == []
    assert seen["fetched"] == 0
    front, timed = result["front"], result["search"]["exactly_timed"]
    assert sorted(seen["done"]["marks"]) == sorted([len(front), timed - len(front)])
    assert seen["done"]["told"].startswith("point 2")
    assert front[1]["next_step"] in seen["done"]["told"]
    assert [cell for cell in seen["cells"] if cell in {point["next_step"] for point in front}]
    assert all(0 < width <= seen["window"] for width in seen["pictures"])


def test_words_say_what_binds_and_what_the_next_step_brings(result: dict) -> None:
    first, *others = result["front"]
    assert first["next_step"].startswith("none:")
    for better, point in zip(result["front"], others, strict=False):
        gain = better["images-per-second"] / point["images-per-second"]
        assert f"{gain:.2f} times the images-per-second" in point["next_step"]
    for point in result["front"]:
        assert re.match(r"(compute|bandwidth|weights|latency) in layers of \d+% of the cycles", point["binds"])
        assert re.search(r"slowest layer (one|two|last), \d+%", point["binds"])


def test_a_repeated_search_is_free_and_the_same(result: dict, capsys: pytest.CaptureFixture[str]) -> None:
    again = ("explore", *OPTIONS, "--store", "kept", "--limit", "lut=30000,dsp=60", "--json", "-", "--html", "p.html")
    assert call(*again) == 0
    pages = [re.findall(r"<td[^>]*>.*?</td>", Path(name).read_text()) for name in ("p.html", "found/front.html")]
    assert pages[0] == pages[1] != []
    found = json.loads(capsys.readouterr().out)
    assert found["front"] == result["front"]
    assert found["search"]["kept"] == found["search"]["exactly_timed"]


def test_python_finds_the_same(result: dict) -> None:
    found = wingrid.explore("deep", "ecp5-45k-6", clock=50, space=SPACE, limits={"lut": 30000, "dsp": 60}, store="kept")
    assert found.front == result["front"]
    frame = found.frame()
    assert list(frame["point"].dropna().sort_values()) == list(range(1, len(found.front) + 1))
    assert any("The front is complete within the space" in line for line in found.summary)
    assert "4x4 with F(4x4)" in found._repr_html_()
    found.plot("front.svg")
    assert Path("front.svg").stat().st_size > 1000


def test_the_table_says_that_the_front_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("explore", *OPTIONS, "--store", "kept", "--objective", "energy,bram") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "The front is complete within the space: of 16 designs" in told
    assert "uJ/" in told


def test_an_interrupted_search_says_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(job: Job) -> Exact:
        raise Interrupted(2)

    monkeypatch.setattr("wingrid.host.exploration.exact.timed", breaks)
    with pytest.raises(Interrupted, match="interrupted; what was timed is kept: the same command goes on from there"):
        call("explore", *OPTIONS, "--store", "other")


def test_a_point_is_what_a_build_goes_on_from(result: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Order, Wanted]] = []

    def built(order: Order, files: dict, wanted: Wanted, *_: object) -> None:
        asked.append((order, wanted))
        raise UserError("far enough")

    monkeypatch.setattr("wingrid.host.builds.build.built", built)
    assert call("build", "--point", "2", "found", "-o", "built") == 2
    ((order, wanted),) = asked
    point = result["front"][1]
    assert wanted.fixed.as_dict() == point["config"]
    assert not wanted.free
    assert wanted.memory(wanted.fixed).latency == point["memory"]["latency"]
    assert (order.network, order.target, order.clock) == ("deep", "ecp5-45k-6", 50)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("build -o built", "a build needs a NETWORK and a --target, or a --point of a search"),
        ("build --point 99 found -o built", "the front in found has no point 99: its points are 1 to "),
        ("build --point 1 nowhere -o built", "cannot read nowhere/explore.json: No such file or directory"),
        ("build --point 1 found --set rows=4 -o built", "--set does not go with --point"),
        ("build vgg16 --point 1 found -o built", "the search in found was for deep, not for vgg16"),
        ("explore deep --target ulx4s", "unknown target 'ulx4s'"),
        ("explore nothing --target ulx3s", "unknown network 'nothing'; built in are "),
        ("explore deep --target ulx3s --objective fast", "unknown objective 'fast'; there are images-per-second"),
        ("explore deep --target ulx3s --limit lut", "limit 'lut' must have the form name=number"),
        ("explore deep --target ulx3s --space missing.toml", "cannot read missing.toml: No such file or directory"),
        ("explore deep --target ulx3s --scheduler moon", "--scheduler 'moon' must be here, local or an address"),
        ("explore deep --target ulx3s --combine best", "unknown combination 'best'; there are worst, mean"),
        ("explore deep --target ulx3s -o .", ". holds something that is no search"),
        ("explore deep --target ulx3s --store space.toml", "cannot keep exact times in space.toml: "),
    ],
)
def test_bad_input_gets_one_sentence(
    result: dict, arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in Path().iterdir())
    assert call(*arguments.split()) == 2
    told = capsys.readouterr().err
    assert message in told
    assert len(told.splitlines()) == 1
    assert sorted(path.name for path in Path().iterdir()) == before
