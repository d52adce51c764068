"""A build's report as one page of HTML that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any

from wingrid.host.bitstreams.write_bitstream import NOT_RUN
from wingrid.host.builds.receipt import Receipt
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.pages import document
from wingrid.host.pages.document import Section, drawing, facts, paragraph, table, verdict
from wingrid.host.pages.report_page import layer_sections
from wingrid.host.reports.report import Report
from wingrid.host.silicon.area_plot import drawn
from wingrid.host.silicon.synth_report import hops
from wingrid.host.silicon.synth_result import SynthResult
from wingrid.hw.config import AcceleratorConfig


def page(receipt: Receipt, estimate: NetworkResult, silicon: SynthResult, larger: str | None) -> str:
    """The text of the page. Figures are those of the receipt, layers those of the estimate."""
    order, planned, results = receipt.order, receipt.planned, receipt.results
    config = AcceleratorConfig(**{name: planned["config"][name] for name in AcceleratorConfig().__dict__})
    return document.page(
        f"{order.network} on {order.target}",
        [
            Section("What was built", facts(_summary(receipt, config, larger))),
            Section("Checks", table(["Check", "Found"], ([name, verdict(value)] for name, value in _checks(results)))),
            *layer_sections(Report(estimate)),
            Section("Area, and where it goes", _share(results["silicon"]) + drawing(drawn(silicon, ".svg").decode())),
            Section("Clock and critical path", _clock(results["silicon"]["clock"], silicon)),
            Section("Tools", facts(receipt.tools.items())),
        ],
    )


def _summary(receipt: Receipt, config: AcceleratorConfig, larger: str | None) -> Iterable[tuple[str, Any]]:
    planned, results = receipt.planned, receipt.results
    tile = f"F({config.winograd}x{config.winograd})" if config.winograd else "direct convolution"
    yield "Accelerator", f"{config.rows}x{config.cols}, {tile}, {config.bus_bytes} bytes of AXI bus"
    yield "Buffers", f"{config.on_chip_bytes:,} bytes"
    memory = planned["memory"]
    yield "Memory", f"{memory['bytes_per_cycle']} bytes a cycle, {memory['latency']} cycles of latency"
    cycles = sum(results["rtl"]["cycles"].values())
    yield "Cycles", f"{cycles:,} for {planned['images']} image{'s' * (planned['images'] > 1)}, on the RTL"
    yield "Images per second", rate(planned, results)
    yield "Energy", f"{planned['microjoules_per_image']:,.4g} microjoules an image, by the model below"
    if "bitstream" in results:
        yield "Bitstream", bitstream(results["bitstream"])
    yield "What binds", planned["binding"]
    if larger is not None:
        yield "A larger target", larger
    for reason in planned["rejected"]:
        yield "Not taken", reason
    yield (
        "Objective",
        receipt.order.objective + (f", {receipt.order.fps:g} images per second" if receipt.order.fps else ""),
    )


def rate(planned: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Images per second at the clock that was routed, else at the one assumed; without one, that none is known."""
    clock = results["silicon"]["clock"]
    cycles = sum(results["rtl"]["cycles"].values())
    if clock is not None:
        mhz, how = clock["mhz"], "routed"
    elif planned["clock_mhz"] is not None:
        mhz, how = planned["clock_mhz"], "assumed"
    else:
        return "not told: no clock is known for this target, and none was assumed"
    return f"{planned['images'] * mhz * 1e6 / cycles:,.4g} at {mhz:g} MHz, {how}"


def bitstream(found: Mapping[str, Any]) -> str:
    """What is known of a bitstream, in a sentence."""
    ran = found["simulated"]
    return (
        f"{found['reached_mhz']:g} MHz reached, {found['clock_mhz']:g} needed; its netlist said class {ran['class']} "
        f"after {ran['cycles']:,} cycles, {ran['accelerator_cycles']:,} of them the accelerator's; {NOT_RUN}"
    )


def _checks(results: Mapping[str, Any], path: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in results.items():
        place = f"{path}{name.replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from _checks(value, f"{place}: ")
        elif value is None or isinstance(value, bool):
            yield place, value


def _share(silicon: Mapping[str, Any]) -> str:
    cells = [(name, f"{count:,g}") for name, count in silicon["cells"].items() if count]
    shares = [(f"of the chip's {name}", f"{share:.1%}") for name, share in silicon["share"].items()]
    return facts([*cells, *shares])


def _clock(clock: Mapping[str, Any] | None, silicon: SynthResult) -> str:
    if clock is None:
        return paragraph(silicon.target.unrouted if not silicon.target.routes else "Not routed.")
    planned = f", {clock['planned_mhz']:g} MHz were planned" if clock["planned_mhz"] else ""
    path = (
        [html.escape(hop.signal), hop.inside, hop.wire, hop.arrival, silicon.files.get(hop.part, "")]
        for hop in hops(silicon.routes[0].path)
    )
    heads = ["Signal on the slowest path", "In cells, ns", "In wires, ns", "At, ns", "File"]
    return paragraph(f"{clock['mhz']:g} MHz, routed{planned}.") + table(heads, path)
