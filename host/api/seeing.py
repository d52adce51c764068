"""Pictures of what a network sees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wingrid.host.api.conditions import Config, Memory, Setting, as_texts, setup_for
from wingrid.host.errors import UserError
from wingrid.host.execution.listener import Listener
from wingrid.host.execution.setup import require_values

if TYPE_CHECKING:
    from wingrid.host.feature_maps.exciting_patches import Excitation
    from wingrid.host.feature_maps.layer_sheet import Sheet


def show(
    network: str,
    layer: str,
    input: str | None = None,
    *,
    backend: str = "rtl",
    config: Config = None,
    memory: Memory = None,
    listener: Listener | None = None,
    **settings: Setting,
) -> Sheet:
    """A layer's filters, if it takes the picture itself, and its responses to a picture, as a contact sheet.

        show("gabor96", "gabor", "photo.jpg", backend="golden").pixels

    ``input`` names a picture; ``None`` is a sample photograph, or a digit for ``digits``. ``pixels`` of the sheet are
    uint8 [H, W, 3], ``result`` is the run of that layer. The other arguments and the errors are those of ``run``.
    """
    # Imported here: what other functions do without.
    from wingrid.host.feature_maps.layer_sheet import layer_sheet
    from wingrid.host.feature_maps.subject import subject, usual_picture

    setup = setup_for(backend, config, memory, as_texts(settings))
    require_values(setup.backend, "show")
    seen = subject(network, layer, setup.config)(input or usual_picture(network))
    sheet = layer_sheet(network, seen, setup, listener)
    sheet.result.require_checks()
    return sheet


def exciting_patches(
    network: str,
    layer: str,
    pictures: str | Path | Sequence[str],
    *,
    channels: Sequence[int] | None = None,
    most: int = 9,
    backend: str = "rtl",
    config: Config = None,
    memory: Memory = None,
    listener: Listener | None = None,
    **settings: Setting,
) -> Excitation:
    """The patches of many pictures that excite each channel of a layer most, as a contact sheet and as data.

        exciting_patches("vgg16-imagenet", "conv3_1", "photos", backend="golden").patches[0].response

    ``pictures`` is a folder, or names of pictures. ``channels`` are numbers of output channels, ``None`` stands for the
    first 16. The other arguments and the errors are those of ``run``.
    """
    # Imported here: what other functions do without.
    from wingrid.host.feature_maps import exciting_patches as patches
    from wingrid.host.feature_maps.subject import pictures_in, subject

    setup = setup_for(backend, config, memory, as_texts(settings))
    require_values(setup.backend, "exciting_patches")
    if most < 1:
        raise UserError(f"most {most} must be at least 1")
    names = pictures_in(Path(pictures)) if isinstance(pictures, str | Path) else pictures
    if not names:
        raise UserError("there are no pictures to look at")
    seen = map(subject(network, layer, setup.config), names)
    found = patches.exciting_patches(network, seen, channels, most, setup, listener)
    for result in found.results:
        result.require_checks()
    return found
