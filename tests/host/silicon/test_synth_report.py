"""What is told of a synthesis: paths by signals, ends by parts, and what there is to say beside the tables."""

import io

from rich.console import Console
from rich.table import Table

from wingrid.host.silicon.area import OUTSIDE, Area
from wingrid.host.silicon.area_plot import drawn
from wingrid.host.silicon.place_and_route import EndPoint, Routed, Step
from wingrid.host.silicon.synth_report import area_table, as_dict, ends_table, footnotes, path_table
from wingrid.host.silicon.synth_result import SynthResult
from wingrid.host.silicon.target import find_target
from wingrid.hw.config import AcceleratorConfig

FILES = {"core": "hw/core.py", "core.store": "hw/store/store_engine.py"}
PATH = [
    Step("clk-to-q", 0.5, "core.store.size", "core.store"),
    Step("routing", 1.0, "core.store.size", "core.store"),
    Step("logic", 0.25, "core.store.sum~", "core.store"),
    Step("routing", 0.0, "core.store.sum~", "core.store"),
    Step("logic", 0.25, "", ""),
    Step("routing", 0.0, "", ""),
    Step("logic", 0.25, "core.store.sum~", "core.store"),
    Step("routing", 0.75, "core.store.sum~", "core.store"),
    Step("logic", 0.25, "core.idle", "core"),
    Step("routing", 1.25, "core.idle", "core"),
    Step("setup", 0.0, "core.busy", "core"),
]
ENDS = [
    EndPoint(4.5, "core.busy", "core"),
    EndPoint(4.0, "level_0", OUTSIDE),
    EndPoint(2.5, "core.store.x", "core.store"),
]


def result(logic: float = 6072, target: str = "ecp5-25k-6", **others: object) -> SynthResult:
    store = Area()
    store.counts |= {"logic": logic, "memories": 1}
    routes = [Routed(1, 222.22, PATH, ENDS, {"TRELLIS_FF": (3, 9)}), Routed(2, 200.0, PATH, ENDS, {})]
    fields = {"uncounted": {}, "routes": routes, **others}
    areas = {"core.store": store, OUTSIDE: Area()}
    return SynthResult(AcceleratorConfig(rows=2, cols=2), find_target(target), areas, FILES, seconds=1.0, **fields)


def cells(table: Table) -> list[list[str]]:
    """The rows of a table, without gaps."""
    console = Console(file=io.StringIO(), width=200)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.split() for line in console.file.getvalue().splitlines()[1:] if line.strip(" ─")]


def test_a_path_has_a_line_for_each_signal() -> None:
    rows = cells(path_table(result()))[1:]
    assert rows == [
        ["core.store.size", "0.50", "1.00", "1.50", "hw/store/store_engine.py"],
        ["core.store.sum~", "0.75", "0.75", "3.00", "hw/store/store_engine.py"],
        ["core.idle", "0.25", "1.25", "4.50", "hw/core.py"],
    ]


def test_the_slowest_end_of_each_part_is_told_without_the_harness() -> None:
    assert cells(ends_table(result()))[1:] == [
        ["core", "4.50", "222", "busy", "hw/core.py"],
        ["core.store", "2.50", "400", "x", "hw/store/store_engine.py"],
    ]
    ends = as_dict(result())["seeds"][0]["ends"]
    assert [end["part"] for end in ends] == ["core", "harness", "core.store"]
    assert ends[0] == {"part": "core", "ns": 4.5, "cell": "core.busy", "file": "hw/core.py"}


def test_only_kinds_of_cells_that_there_are_have_a_column() -> None:
    assert cells(area_table(result()))[2][:4] == ["part", "logic", "memories", "logic"]
    assert as_dict(result())["total"]["carry"] == 0


def test_the_clock_is_told_with_its_seeds_and_target() -> None:
    assert list(footnotes(result())) == [
        "The accelerator takes 25.0% of the logic, 0.0% of the multipliers, 1.8% of the memories of ecp5-25k-6.",
        "211.11 MHz, routed on ecp5-25k-6 (seeds 1, 2: 222.22, 200).",
    ]


def test_why_there_is_no_clock_is_told() -> None:
    last = {
        case: list(footnotes(found))[-1]
        for case, found in {
            "asked": result(routes=[]),
            "full": result(logic=24_289, routes=[]),
            "unrouted": result(target="xc7a35t-1", routes=[]),
        }.items()
    }
    assert last == {
        "asked": "The clock is not known without place and route: leave --no-route out.",
        "full": "So it does not fit, and was not routed.",
        "unrouted": "Wingrid has no tool that places and routes AMD Artix-7 35T, so its clock is not known.",
    }


def test_cells_that_are_not_counted_are_named() -> None:
    found = result(uncounted={"ODD": 1200, "EVEN": 2})
    assert list(footnotes(found))[1] == "In no figure, as nothing is known of them: 2 EVEN, 1,200 ODD."
    assert as_dict(found)["uncounted"] == {"ODD": 1200, "EVEN": 2}


def test_large_memories_count_where_there_are_some() -> None:
    shares = as_dict(result(target="xck26-2", routes=[]))["total"]["share"]
    assert list(shares) == ["logic", "multipliers", "memories", "large_memories"]


def test_the_picture_names_what_it_shows() -> None:
    picture = drawn(result(), ".svg").decode()
    assert "2x2 F(4x4) on ecp5-25k-6 (Lattice ECP5, LFE5U-25F)" in picture
    assert "core.store" in picture
