"""Many small pictures on one sheet, each with its label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

LEAST_TILE, LARGEST_TILE = 28, 112
"""Pixels of a tile's longer side; smaller pictures are magnified by whole numbers, larger ones made smaller."""

LABEL, HEADING = 11, 15
"""Height of letters, in pixels."""

GAP = 6
PAPER, INK = "white", "black"


@dataclass(frozen=True)
class Tile:
    """A picture, uint8 [H, W, 3], and what stands over it."""

    pixels: npt.NDArray[np.uint8]
    label: str


@dataclass(frozen=True)
class Section:
    """Tiles under a heading, in rows of ``columns``."""

    heading: str
    tiles: Sequence[Tile]
    columns: int | None = None
    """As many as make the section about as high as it is wide for ``None``."""

    @property
    def abreast(self) -> int:
        return self.columns or max(1, math.ceil(math.sqrt(1.5 * len(self.tiles))))


def contact_sheet(title: str, sections: Sequence[Section]) -> npt.NDArray[np.uint8]:
    """The sheet, uint8 [H, W, 3]: the title, and the sections one below the other."""
    drawn = [_drawn(section) for section in sections]
    font = ImageFont.load_default(HEADING)
    head = _text_height(font) + 2 * GAP
    width = max([math.ceil(font.getlength(title)) + 2 * GAP, *(picture.width for picture in drawn)])
    sheet = Image.new("RGB", (width, head + sum(picture.height for picture in drawn)), PAPER)
    ImageDraw.Draw(sheet).text((GAP, GAP), title, INK, font)
    top = head
    for picture in drawn:
        sheet.paste(picture, (0, top))
        top += picture.height
    return np.array(sheet)


def _drawn(section: Section) -> Image.Image:
    font, small = ImageFont.load_default(HEADING), ImageFont.load_default(LABEL)
    tiles = [_sized(tile.pixels) for tile in section.tiles]
    letters = [math.ceil(small.getlength(tile.label)) for tile in section.tiles]
    wide = max([0, *letters, *(tile.width for tile in tiles)]) + GAP
    high = max((tile.height for tile in tiles), default=0) + _text_height(small) + GAP
    columns = min(section.abreast, max(1, len(tiles)))
    head = _text_height(font) + GAP
    size = (
        max(columns * wide, math.ceil(font.getlength(section.heading))) + 2 * GAP,
        head + -(-len(tiles) // columns) * high + GAP,
    )
    picture = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(picture)
    draw.text((GAP, 0), section.heading, INK, font)
    for index, (tile, pixels) in enumerate(zip(section.tiles, tiles, strict=True)):
        left, top = GAP + index % columns * wide, head + index // columns * high
        draw.text((left, top), tile.label, INK, small)
        picture.paste(pixels, (left, top + _text_height(small)))
    return picture


def _text_height(font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return math.ceil(font.getbbox("Ag0|")[3]) + 2


def _sized(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    side = max(picture.size)
    if side > LARGEST_TILE:
        width, height = (max(1, round(size * LARGEST_TILE / side)) for size in picture.size)
        return picture.resize((width, height), Image.Resampling.BOX)
    times = -(-LEAST_TILE // side)
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
