"""A build's report as one page of HTML that needs nothing else: no network, no script."""

from __future__ import annotations

import html
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wingrid.host.bitstreams.write_bitstream import NOT_RUN
from wingrid.host.builds.receipt import Receipt
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.reports.report import Report
from wingrid.host.silicon.area_plot import drawn
from wingrid.host.silicon.synth_report import hops
from wingrid.host.silicon.synth_result import SynthResult
from wingrid.hw.config import AcceleratorConfig

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #d0d7de }
table { border-collapse: collapse; display: block; overflow-x: auto } td, th { padding: .2rem .7rem; text-align: left }
tr:nth-child(even) { background: #f6f8fa } td.number { text-align: right; font-variant-numeric: tabular-nums }
.good { color: #116329 } .bad { color: #a40e26; font-weight: bold } .unknown { color: #6e7781 }
svg { max-width: 100%; height: auto } code { font-size: .9em }
@media (prefers-color-scheme: dark) { body { background: #0d1117; color: #e6edf3 }
  tr:nth-child(even) { background: #161b22 }
  .good { color: #3fb950 } .bad { color: #f85149 } figure { background: #fff; padding: .5rem } }
@media print { body { margin: 0; max-width: none } h2 { break-after: avoid } }
"""


def page(receipt: Receipt, estimate: NetworkResult, silicon: SynthResult, larger: str | None) -> str:
    """The text of the page. Figures are those of the receipt, layers those of the estimate."""
    order, planned, results = receipt.order, receipt.planned, receipt.results
    config = AcceleratorConfig(**{name: planned["config"][name] for name in AcceleratorConfig().__dict__})
    title = f"{order.network} on {order.target}"
    sections = [
        ("What was built", _rows(_summary(receipt, config, larger))),
        ("Checks", _table(["Check", "Found"], ([name, _verdict(value)] for name, value in _checks(results)))),
        ("Layers: cycles, and what bounds them", _figure(_cycles_drawn(estimate)) + _layers(estimate)),
        ("Area, and where it goes", _share(results["silicon"]) + _figure(drawn(silicon, ".svg").decode())),
        ("Clock and critical path", _clock(results["silicon"]["clock"], silicon)),
        ("Energy", _energy(estimate)),
        ("Tools", _rows(receipt.tools.items())),
    ]
    body = "\n".join(f"<section><h2>{html.escape(name)}</h2>\n{content}</section>" for name, content in sections)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n<body><h1>{html.escape(title)}</h1>\n{body}\n</body></html>\n"
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


def _verdict(value: bool | None) -> str:
    kind, text = {True: ("good", "yes"), False: ("bad", "no"), None: ("unknown", "not run, or does not apply")}[value]
    return f'<span class="{kind}">{text}</span>'


def _layers(estimate: NetworkResult) -> str:
    rows = []
    for layer in Report(estimate).as_dict()["layers"]:
        rows.append(
            [
                html.escape(layer["name"]),
                layer["algorithm"],
                layer["macs"],
                layer["cycles"],
                layer["macs_per_multiplier_cycle"],
                layer["dram_bytes"],
                layer["bound"],
            ]
        )
    heads = ["Layer", "Algorithm", "MACs", "Cycles", "MACs per multiplier and cycle", "Bytes moved", "Bound by"]
    return _table(heads, rows)


def _share(silicon: Mapping[str, Any]) -> str:
    cells = [(name, f"{count:,g}") for name, count in silicon["cells"].items() if count]
    shares = [(f"of the chip's {name}", f"{share:.1%}") for name, share in silicon["share"].items()]
    return _rows([*cells, *shares])


def _clock(clock: Mapping[str, Any] | None, silicon: SynthResult) -> str:
    if clock is None:
        return f"<p>{html.escape(silicon.target.unrouted if not silicon.target.routes else 'Not routed.')}</p>"
    planned = f", {clock['planned_mhz']:g} MHz were planned" if clock["planned_mhz"] else ""
    path = (
        [html.escape(hop.signal), hop.inside, hop.wire, hop.arrival, silicon.files.get(hop.part, "")]
        for hop in hops(silicon.routes[0].path)
    )
    heads = ["Signal on the slowest path", "In cells, ns", "In wires, ns", "At, ns", "File"]
    return f"<p>{clock['mhz']:g} MHz, routed{planned}.</p>" + _table(heads, path)


def _energy(estimate: NetworkResult) -> str:
    energy = Report(estimate).as_dict()["total"]["energy_uj"]
    note = "<p>Products, buffers and DRAM by cited constants of a 45 nm process: made to compare designs.</p>"
    return note + _rows((name.replace("_", " "), f"{value:,.3g} microjoules") for name, value in energy.items())


def _cycles_drawn(estimate: NetworkResult) -> str:
    """A bar per layer: busy cycles, and stalls by name."""
    # Imported here: it takes longer than all else here.
    import matplotlib
    from matplotlib.figure import Figure

    layers = [layer for layer in estimate.layers if layer.measurement]
    names = [layer.layer.name for layer in layers]
    parts: dict[str, list[int]] = {"busy": [layer.measurement.busy for layer in layers if layer.measurement]}
    for layer in layers:
        assert layer.measurement is not None
        for stall, cycles in layer.measurement.stalls.items():
            parts.setdefault(str(stall), []).append(cycles)
    with matplotlib.rc_context({"svg.hashsalt": "wingrid", "font.size": 8}):
        figure = Figure(figsize=(9, 1 + 0.22 * len(names)), layout="constrained")
        axes = figure.add_subplot()
        start = [0] * len(names)
        for part, counts in parts.items():
            if any(counts):
                axes.barh(names, counts, left=start, label=part)
                start = [before + count for before, count in zip(start, counts, strict=True)]
        axes.invert_yaxis()
        axes.set_xlabel("cycles")
        figure.legend(loc="outside right upper")
        content = io.BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue().decode()


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _figure(svg: str) -> str:
    """A picture within the page: without the head of a file, which HTML does not take."""
    return f"<figure>{svg[svg.index('<svg') :]}</figure>\n"


def _rows(rows: Iterable[tuple[str, Any]]) -> str:
    cells = ([html.escape(str(name)), html.escape(str(value))] for name, value in rows)
    return _table([], cells)


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table of cells that are HTML already, or numbers."""
    lines = []
    if heads:
        lines.append("<tr>" + "".join(f"<th>{html.escape(head)}</th>" for head in heads) + "</tr>")
    for row in rows:
        cells = (
            f'<td class="number">{_number(cell)}</td>' if isinstance(cell, int | float) else f"<td>{cell}</td>"
            for cell in row
        )
        lines.append("<tr>" + "".join(cells) + "</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>\n"
