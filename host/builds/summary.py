"""What a build and a check tell on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from wingrid.host.builds.page import bitstream, rate
from wingrid.host.builds.receipt import Receipt
from wingrid.host.builds.replay import Replay
from wingrid.host.fitting.fit import describe
from wingrid.host.reports.report_table import compact_table
from wingrid.hw.config import AcceleratorConfig


def build_table(receipt: Receipt, larger: str | None) -> Table:
    """What was chosen, what it reaches, and what was checked."""
    planned, results = receipt.planned, receipt.results
    fields = {name: planned["config"][name] for name in AcceleratorConfig.__dataclass_fields__}
    shown = compact_table(f"{receipt.order.network} on {receipt.order.target}", "")
    shown.add_column("")
    search = planned["search"]
    shown.add_row("accelerator", describe(AcceleratorConfig(**fields)))
    shown.add_row(
        "search",
        f"{search['meshes']} meshes fit, {search['timed']} configurations timed exactly, {search['bounded']} meshes "
        f"left as worse by their bound, {search['left']} untimed",
    )
    for reason in planned["rejected"]:
        shown.add_row("not taken", reason)
    shown.add_row("cycles", f"{sum(results['rtl']['cycles'].values()):,}, on the RTL as promised")
    shown.add_row("images per second", rate(planned, results))
    shown.add_row("area", ", ".join(f"{share:.1%} of {name}" for name, share in results["silicon"]["share"].items()))
    shown.add_row("what binds", planned["binding"])
    if larger is not None:
        shown.add_row("larger target", larger)
    if "bitstream" in results:
        shown.add_row("bitstream", bitstream(results["bitstream"]))
    for name, text in _verdicts(results):
        shown.add_row(name, text)
    return shown


def check_table(replay: Replay) -> Table:
    """What was checked again, and how it differs."""
    shown = compact_table("checked against the receipt", "check")
    shown.add_column("found")
    for name, lines in replay.checks.items():
        shown.add_row(name, "\n".join(lines) if lines else "as in the receipt")
    return shown


def _verdicts(results: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    equal = results["network"]["onnxruntime_equal"]
    yield "ONNX Runtime", {True: "the same bits", False: "other bits", None: "not asked: no ONNX model"}[equal]
    for name, bench in results["test_bench"].items():
        yield f"test bench in {name}", "not run at the build" if bench is None else "passed"
