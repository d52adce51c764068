"""``wingrid estimate``: cycles, traffic and energy by the timing model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wingrid.host.commands.html_page import write_page
from wingrid.host.commands.named_values import named_shapes
from wingrid.host.commands.options import (
    BytesPerCycle,
    Clock,
    ConfigFile,
    CsvFile,
    HtmlFile,
    Int8Kernels,
    JsonFile,
    Latency,
    NamedMemory,
    OnTarget,
    Shapes,
    WithDram,
    WriteLatency,
    names_in,
    require_images,
)
from wingrid.host.commands.progress import Bar
from wingrid.host.errors import UserError
from wingrid.host.estimates.estimate import estimator
from wingrid.host.estimates.output import EstimateDeliverables
from wingrid.host.estimates.power import require_rate
from wingrid.host.estimates.sweep import combinations, estimate_variants
from wingrid.host.execution.setup import Setup
from wingrid.host.silicon.known_clock import with_clock

if TYPE_CHECKING:
    from wingrid.host.onnx_models.model_estimate import TensorPlacer


def estimate(
    network: Annotated[
        str, typer.Argument(metavar="NETWORK", help="A built-in network, see: wingrid networks; or an .onnx file.")
    ],
    layers: Annotated[str | None, typer.Option("--layers", metavar="A,B", help="Only these layers.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", metavar="N", help="Images at once; 1.")] = None,
    shape: Shapes = None,
    int8_kernels: Int8Kernels = True,
    assume_int8: Annotated[
        bool, typer.Option("--assume-int8", help="Take a float ONNX model as if it were quantised.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw roofline, cycles and energy; .png or .svg.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", metavar="FPS", help="Tell watts by part at so many images per second.")
    ] = None,
    config: ConfigFile = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="FIELD=VALUE,...", help="A configuration field, or algorithm; all combinations of values."
        ),
    ] = None,
    clock: Clock = None,
    target: OnTarget = None,
    memory: NamedMemory = None,
    latency: Latency = None,
    write_latency: WriteLatency = None,
    bytes_per_cycle: BytesPerCycle = None,
    dram: WithDram = False,
    json: JsonFile = None,
    csv: CsvFile = None,
    html: HtmlFile = None,
) -> None:
    """Tell what a network takes, by the timing model: cycles, traffic, throughput, energy, and what bounds each layer.

    Settings with several values make a table with a line for each combination.
    """
    names = names_in(layers)
    if batch is not None:
        require_images(batch)
    if rate is not None:
        require_rate(rate)
        if names is not None:
            raise UserError("--rate is of whole images, and --layers leaves some of a network out")
    settings = combinations(set_ or ())
    by_model = estimator(
        network,
        names,
        batch,
        shapes=named_shapes(shape),
        assume_int8=assume_int8,
        int8_kernels=int8_kernels,
        placer=_placer() if html is not None else None,
    )
    deliverables = EstimateDeliverables(json, csv, plot, len(settings), rate, html)

    def describe(fields: list[str]) -> Setup:
        options = Setup.from_options(
            "timing",
            config,
            fields,
            latency=latency,
            write_latency=write_latency,
            memory=memory,
            bytes_per_cycle=bytes_per_cycle,
            dram=dram,
            keep_programs=html is not None,
        )
        return with_clock(options, clock, target)

    with Bar(network) as bar:
        variants = estimate_variants(settings, describe, lambda setup: by_model(setup, bar))
    write_page(html, variants[0].report.result)
    deliverables.deliver(variants)


def _placer() -> TensorPlacer:
    """What a page asks where tensors lie."""
    # Imported here: what other estimates do without.
    from wingrid.host.images.tensor_memory import model_memory

    return model_memory
