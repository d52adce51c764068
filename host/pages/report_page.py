"""A run or an estimate as one page: summary, checks, layers, figures, timeline and memory."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from typing import Any

from wingrid.host.compiler.compile_layer import CompiledLayer
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.networks.built_in import BUILT_IN
from wingrid.host.pages.document import Section, facts, page, paragraph, table, verdict
from wingrid.host.pages.figures import cycles, energy, roofline, traffic
from wingrid.host.pages.memory import alone, chained, memory_map, placed
from wingrid.host.pages.timeline import SHOWN, occupation, timelines
from wingrid.host.reports.report import Report
from wingrid.host.reports.report_table import conditions

HEADS = (
    "Layer",
    "Algorithm",
    "MACs",
    "Cycles",
    "MACs per multiplier and cycle",
    "Busy, %",
    "Bound by",
    "Largest stall",
    "Bytes moved",
    "Of the least, times",
    "Energy, microjoules",
    "Equals golden",
    "Equals the timing model",
)


def report_page(result: NetworkResult, footnotes: Iterable[str]) -> str:
    """The text of the page; ``footnotes`` are what the report says in sentences.

    A result whose setup kept no programs has neither timeline nor memory map, one of golden no figures at all.
    """
    report = Report(result)
    title = f"{result.network} on {result.setup.backend}"
    summary = facts(_summary(report)) + "".join(paragraph(line) for line in footnotes)
    return page(title, [Section("Summary", summary), _checks(result), *layer_sections(report), area_unknown()])


def layer_sections(report: Report) -> Iterator[Section]:
    """What is known of the layers: their table, figures, timeline and memory, as far as the backend can know."""
    found = report.as_dict()
    layers, timed = found["layers"], [layer for layer in found["layers"] if layer["cycles"] is not None]
    yield Section("Layers", table(HEADS, map(_row, layers), _row({"name": "total", **found["total"]})))
    if not timed:
        return
    yield Section(
        "Roofline",
        paragraph("After Williams, Waterman and Patterson: a layer below a line leaves something of it unused."),
        {"roofline": [("all", roofline(report, timed))]},
    )
    yield Section("Cycles by layer, and what they wait for", "", {"cycles": [("all", cycles(timed))]})
    yield Section("Traffic by class", "", {"traffic": [("all", traffic(timed))]})
    yield Section(
        "Energy by layer",
        paragraph("Products, buffers and DRAM by cited constants of a 45 nm process: made to compare designs."),
        {"energy": [("all", energy(timed))]},
    )
    compiled = [layer.compiled for layer in report.result.layers if layer.compiled]
    if compiled:
        yield _timeline(report, compiled)
        yield _memory(report, compiled)


def area_unknown() -> Section:
    """Of runs and estimates: who would know."""
    return Section("Area", paragraph("Not known: it takes synthesis, by wingrid synth or wingrid build."))


def _summary(report: Report) -> Iterator[tuple[str, Any]]:
    found, result = report.as_dict(), report.result
    config, total = result.setup.config, found["total"]
    yield "Network", f"{result.network}, {result.images or 'not a whole'} image{'s' * (result.images > 1)}"
    yield "Backend", result.setup.backend
    yield "Accelerator", f"{conditions(report)}, {config.multipliers:,} multipliers"
    yield "Buffers", f"{config.on_chip_bytes:,} bytes"
    yield "Weights", result.weights
    yield "Multiply-adds", f"{total['macs']:,}"
    if total["cycles"] is not None:
        yield "Cycles", f"{total['cycles']:,}"
        yield "MACs per multiplier and cycle", f"{total['macs_per_multiplier_cycle']:.3f}"
        yield "Bytes moved", f"{total['dram_bytes']:,}, {total['lower_bound_ratio']:.2f} times the least"
    rate = total["images_per_second"]
    yield "Images per second", f"{rate:g} at {result.setup.clock}" if rate is not None else "not told without a clock"


def _checks(result: NetworkResult) -> Section:
    exact = _all([layer.exact for layer in result.layers])
    timed = _all([layer.timing_equal for layer in result.layers])
    rows = [
        ["All outputs equal golden's in every bit", verdict(exact)],
        ["All counters and events equal the timing model's", verdict(timed)],
    ]
    if result.placement is not None:
        rows.append(
            [
                "The model's outputs equal ONNX Runtime's in every bit",
                verdict(result.judgement.onnxruntime_equal if result.judgement else None),
            ]
        )
    failed = "".join(f'<p class="bad">{html.escape(line)}</p>' for line in result.failures())
    return Section("Checks", table(["Check", "Found"], rows) + failed)


def _all(verdicts: list[bool | None]) -> bool | None:
    """Whether all hold; ``None`` where a backend cannot know."""
    return None if None in verdicts or not verdicts else all(verdicts)


def _row(layer: dict[str, Any]) -> list[Any]:
    busy = stall = None
    if layer["cycles"] is not None:
        busy = 100 * layer["busy"] / layer["cycles"]
        cause, count = max(layer["stalls"].items(), key=lambda entry: entry[1])
        stall = f"{cause} {count / layer['cycles']:.1%}" if count else "none"
    energy_uj = layer["energy_uj"]
    return [
        html.escape(layer["name"]),
        layer.get("algorithm"),
        layer["macs"],
        layer["cycles"],
        layer["macs_per_multiplier_cycle"],
        busy,
        layer.get("bound"),
        stall,
        layer["dram_bytes"],
        layer["lower_bound_ratio"],
        energy_uj["total"] if energy_uj else None,
        *(
            "" if name not in layer or layer[name] is None else verdict(layer[name])
            for name in ("exact", "timing_equal")
        ),
    ]


def _timeline(report: Report, compiled: list[CompiledLayer]) -> Section:
    figures, shares = timelines(compiled, report.result.setup.timing)
    text = (
        "Above: the share of each layer's cycles in which an engine has work. Below: a layer's instructions in the "
        f"engine that works on them, the first {SHOWN} of them; drag to zoom, double-click to see all. By the timing "
        "model, whose events equal the RTL's wherever a run has checked it. --trace writes all of a layer for Perfetto."
    )
    return Section(
        "Timeline of the engines", paragraph(text), {"engines": [("all", occupation(shares))], "timeline": figures}
    )


def _memory(report: Report, compiled: list[CompiledLayer]) -> Section:
    result = report.result
    if result.tensor_memory is not None:
        text = (
            "In one memory: tensors lie where their lifetimes leave room, above them what each layer needs for itself."
        )
        stretches = placed(compiled, result.tensor_memory)
    elif result.network in BUILT_IN and result.images and len(compiled) == len(result.layers):
        text = (
            "In one memory, as with --jobs 1: two regions hold activations in turn, above them lies what each layer "
            "needs for itself."
        )
        stretches = chained(compiled)
    else:
        text = "Each layer's memory as its program has it; with --jobs 1 a network runs in one memory."
        stretches = alone(compiled)
    figure = memory_map(stretches, [layer.layer.name for layer in compiled])
    width = "A box is as wide as the layers for which it must stay."
    return Section("Memory map and lifetimes", paragraph(f"{text} {width}"), {"memory": [("all", figure)]})
