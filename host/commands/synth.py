"""``wingrid synth``: the accelerator on a chip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wingrid.host.commands.options import ConfigFile, Fields, JsonFile
from wingrid.host.commands.progress import Bar
from wingrid.host.errors import UserError
from wingrid.host.execution.setup import configuration
from wingrid.host.files import write_whole
from wingrid.host.reports.output import Deliverables
from wingrid.host.reports.plot_format import require_plot_format


def synth(
    target: Annotated[
        str,
        typer.Option(
            "--target",
            metavar="T",
            help="A chip and speed grade: ecp5-85k-6, xc7a100t-1 ...; or your FILE.toml.",
        ),
    ] = "ecp5-85k-6",
    route: Annotated[bool, typer.Option("--route/--no-route", help="Place and route too, which takes long.")] = True,
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", help="Placements to try, seeds 1 to N; their median is the clock.")
    ] = 1,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw where the area goes; .png or .svg.")
    ] = None,
    config: ConfigFile = None,
    set_: Fields = None,
    json: JsonFile = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write a line per part; - for standard output.")
    ] = None,
) -> None:
    """Synthesise the accelerator for a chip with open tools: cells by part, share of the chip, clock, slowest paths.

    What was found is kept: other commands tell figures per second at that clock, with the same --target.
    """
    # Imported here: what other commands do without.
    from wingrid.host.silicon import synth_report
    from wingrid.host.silicon.area_plot import drawn
    from wingrid.host.silicon.synth import synthesised
    from wingrid.host.silicon.target import find_target

    chosen, chip = configuration(config, set_), find_target(target)
    if seeds < 1:
        raise UserError(f"--seeds {seeds} must be at least 1")
    if plot is not None:
        require_plot_format(plot)
    deliverables = Deliverables(json, csv, {"--plot": plot})
    tried = range(1, seeds + 1) if route and chip.routes else ()
    with Bar(chip.name) as bar:
        result = synthesised(chosen, chip, seeds=tried, says=bar.says)
    if plot is not None:
        write_whole(plot, drawn(result, plot.suffix))
    tables = [synth_report.area_table(result)]
    if result.routes:
        tables += [synth_report.path_table(result), synth_report.ends_table(result)]
    deliverables.hand_over(
        lambda: synth_report.as_json(result),
        lambda: synth_report.as_csv(result),
        lambda: tables,
        synth_report.footnotes(result),
    )
