"""The configurations among which a fit looks: meshes, Winograd tiles and sizes of buffers."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator

from wingrid.hw.config import AcceleratorConfig, ConfigError
from wingrid.hw.winograd_matrices import POINTS

SIDES = (*range(2, 17), *range(18, 33, 2), *range(36, 65, 4))
"""Rows of meshes, which have as many columns: so a layer leaves the array as the next one takes it, and a whole
network runs in one start (``docs/image.md``)."""

LADDERS = {
    "input_buffer": tuple(1 << bits for bits in range(8, 18)),
    "weight_buffer": (144, 288, 576, 1152, 2304, 4608, 9216, 18432),
    "accumulators": (72, 128, 256, 450, 512, 900, 1024, 1800, 2048, 4096),
    "parameter_blocks": tuple(1 << bits for bits in range(1, 9)),
    "output_buffer": tuple(1 << bits for bits in range(5, 11)),
}
"""Entries of each buffer; weights in nine rows a tile, accumulators around what maps of 14 and 28 pixels and blocks of
memory ask for."""

EXPLORED = {
    "input_buffer": (1024, 4096, 16384, 65536),
    "weight_buffer": (288, 1152, 4608, 18432),
    "accumulators": (128, 450, 900, 1800),
    "parameter_blocks": (32,),
    "output_buffer": (256,),
}
"""Rungs of ``LADDERS`` far enough apart that each is another accelerator: those of a search for all good ones."""


def meshes(fixed: AcceleratorConfig, free: frozenset[str]) -> Iterator[AcceleratorConfig]:
    """All square meshes with their Winograd tiles and the smallest buffers that they allow.

    Fields that are not in ``free`` are those of ``fixed``; who fixes rows or columns alone may get another shape.
    """
    rows = SIDES if "rows" in free else (fixed.rows,)
    cols = SIDES if "cols" in free else (fixed.cols,)
    square = {"rows", "cols"} <= free
    tiles = (0, *POINTS) if "winograd" in free else (fixed.winograd,)
    for high, wide, tile in itertools.product(rows, cols, tiles):
        if square and high != wide:
            continue
        if config := smallest(fixed, free, rows=high, cols=wide, winograd=tile):
            yield config


def smallest(fixed: AcceleratorConfig, free: frozenset[str], **mesh: int) -> AcceleratorConfig | None:
    """The mesh with the smallest buffers that it allows; ``None`` if no buffers make it legal."""
    values = {name: LADDERS[name][-1] for name in LADDERS if name in free}
    config = changed(fixed, free, **mesh, **values)
    if config is None:
        return None
    for name in values:
        for size in LADDERS[name]:
            if found := changed(config, free, **{name: size}):
                config = found
                break
    return config


def roomiest(mesh: AcceleratorConfig, free: frozenset[str]) -> AcceleratorConfig:
    """The mesh with the largest buffers that may be chosen."""
    return changed(mesh, free, **{name: ladder[-1] for name, ladder in LADDERS.items() if name in free}) or mesh


def changed(config: AcceleratorConfig, free: frozenset[str], **values: int) -> AcceleratorConfig | None:
    """The configuration with other values, and what follows from them anew; ``None`` if that is none.

    The bus is as wide as a channel block, unless it is fixed, and bursts are as long as page and output buffer allow.
    """
    fields = {**dataclasses.asdict(config), **values}
    if "bus_bytes" in free:
        fields["bus_bytes"] = 0
    if "burst_beats" in free:
        fields["burst_beats"] = min(128, fields["output_buffer"] // 2)
    with contextlib.suppress(ConfigError):
        return AcceleratorConfig(**fields)
    return None


def steps(config: AcceleratorConfig, free: frozenset[str]) -> Iterator[AcceleratorConfig]:
    """The configurations of one larger buffer, each by one or two steps."""
    for name, ladder in LADDERS.items():
        if name not in free:
            continue
        beyond = [size for size in ladder if size > getattr(config, name)]
        for size in beyond[:2]:
            if found := changed(config, free, **{name: size}):
                yield found


def decoding(config: AcceleratorConfig, free: frozenset[str]) -> Iterator[AcceleratorConfig]:
    """The configuration with decoders of compressed weights, for four columns each and for two."""
    if "decoders" in free and config.winograd:
        for columns in (4, 2):
            if config.cols % columns == 0 and (found := changed(config, free, decoders=config.cols // columns)):
                yield found


def scaled(config: AcceleratorConfig, free: frozenset[str]) -> Iterator[AcceleratorConfig]:
    """The mesh with buffers of the default sizes and of their halves, quarters and so on, the largest first."""
    default = AcceleratorConfig()
    for shift in range(-1, 7):
        sizes = {}
        for name, ladder in LADDERS.items():
            if name in free:
                wanted = getattr(default, name) * 2.0**-shift
                fitting = [size for size in ladder if size <= wanted and changed(config, free, **{name: size})]
                sizes[name] = fitting[-1] if fitting else getattr(config, name)
        if found := changed(config, free, **sizes):
            yield found
