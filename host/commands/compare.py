"""``wingrid compare``: an estimate beside what others published."""

from __future__ import annotations

from typing import Annotated

import typer

from wingrid.host.commands.options import JsonFile
from wingrid.host.commands.progress import Bar
from wingrid.host.reports.output import Deliverables
from wingrid.host.reports.report import as_json


def compare(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="The network that the figures are of.")],
    with_: Annotated[
        str, typer.Option("--with", metavar="NAME", help="A published accelerator: cnn_accel-m32p64, qiu2021, ...")
    ],
    json: JsonFile = None,
) -> None:
    """Estimate an array as large as a published accelerator, at its clock and bandwidth, beside its figures."""
    # Imported here: what other commands do without.
    from wingrid.host.fidelity.comparison import compare as compared
    from wingrid.host.fidelity.output import as_dict, lines, table
    from wingrid.host.fidelity.published import find_published
    from wingrid.host.networks.built_in import find

    deliverables = Deliverables(json, None)
    other = find_published(with_, find(network).name)
    with Bar(f"{network} beside {with_}") as bar:
        found = compared(other, bar)
    deliverables.hand_over(lambda: as_json(as_dict(found)), str, lambda: [table(found)], lines(found))
