"""Estimates beside what others published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wingrid.host.execution.listener import Listener

if TYPE_CHECKING:
    from wingrid.host.fidelity.comparison import Comparison


def compare(network: str, name: str, *, listener: Listener | None = None) -> Comparison:
    """Estimate an array as large as a published accelerator, at its clock and bandwidth, beside its figures.

        compare("vgg16", "cnn_accel-m32p64").rows[-1].ratio

    ``rows`` of what comes back are a row for each layer whose time was published, in milliseconds of an image, and one
    for the network. Raises ``UserError`` for a name that there is not, and where its source does not say how large the
    accelerator is.
    """
    # Imported here: what other functions do without.
    from wingrid.host.fidelity.comparison import compare as compared
    from wingrid.host.fidelity.published import find_published

    return compared(find_published(name, network), listener)
