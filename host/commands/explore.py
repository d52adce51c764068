"""``wingrid explore``: all the best accelerators for networks and a chip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wingrid.host.commands.interruption import Interrupted
from wingrid.host.commands.named_values import named_shapes
from wingrid.host.commands.options import ConfigFile, CsvFile, Fields, Int8Kernels, JsonFile, Scheduler, Shapes
from wingrid.host.commands.progress import Bar
from wingrid.host.reports.output import Deliverables


def explore(
    networks: Annotated[
        list[str],
        typer.Argument(metavar="NETWORK...", help="Built-in networks, see: wingrid networks; or .onnx files."),
    ],
    target: Annotated[
        str,
        typer.Option("--target", metavar="T", help="A board (ulx3s ...), a chip (ecp5-85k-6 ...), or your FILE.toml."),
    ],
    objective: Annotated[
        str | None,
        typer.Option(
            "--objective",
            metavar="A,B",
            help="images-per-second, cycles, energy, traffic, area, lut, dsp, bram or buffers.",
        ),
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option("--space", metavar="FILE.toml", help="Choices in place of the usual ones: docs/explore.md."),
    ] = None,
    limit: Annotated[
        str | None, typer.Option("--limit", metavar="A=N,B=N", help="What no design may be worse than: lut=40000.")
    ] = None,
    combine: Annotated[
        str, typer.Option("--combine", metavar="HOW", help="Of several networks the worst figure, or the mean.")
    ] = "worst",
    scheduler: Scheduler = None,
    store: Annotated[
        Path | None, typer.Option("--store", metavar="FILE", help="Where exact times are kept; the cache folder.")
    ] = None,
    clock: Annotated[
        float | None, typer.Option("--clock", metavar="MHZ", help="Assume this clock, where none is known.")
    ] = None,
    shape: Shapes = None,
    int8_kernels: Int8Kernels = True,
    config: ConfigFile = None,
    set_: Fields = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder for table, pictures and build --point.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the front as one page, as -o does.")
    ] = None,
    json: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """Search a whole space of accelerators, and show those that no other is better than, with what binds each.

    Every design is bounded, those that may be the best are timed exactly: the front is complete within the space.
    """
    # Imported here: what other commands do without.
    from wingrid.host.exploration.asking import asked, search
    from wingrid.host.exploration.output import front_table, require_place, words, write
    from wingrid.host.exploration.picture import page
    from wingrid.host.exploration.result import as_json, rows
    from wingrid.host.exploration.words import summary
    from wingrid.host.files import write_whole
    from wingrid.host.reports.csv_text import csv_text

    deliverables = Deliverables(json, csv, {"--html": html})
    if output is not None:
        require_place(output)
    question = asked(
        networks,
        target,
        objectives=objective,
        limits=limit,
        space=space,
        combination=combine,
        clock=clock,
        shapes=named_shapes(shape),
        int8_kernels=int8_kernels,
        config=config,
        settings=set_ or [],
    )
    with Bar(" ".join(networks)) as bar:
        try:
            found = search(question, scheduler, store, bar.says)
        except Interrupted as interruption:
            kept = "what was timed is kept: the same command goes on from there"
            raise interruption.saying(kept) from None
    if output is not None:
        write(found, output)
    if html is not None:
        write_whole(html, page(found))
    lines = [*words(found), *summary(found)]
    if output is not None:
        lines.append(
            f"{output} has table, pictures and all words; wingrid build --point K {output} goes on from point K."
        )
    deliverables.hand_over(lambda: as_json(found), lambda: csv_text(rows(found)), lambda: [front_table(found)], lines)
