"""The shapes of a model's inputs, from what the model fixes and what its user says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from wingrid.host.errors import UserError
from wingrid.host.onnx_models.shapes import OpenType

ONLY = ""
"""Stands for the name of an input where a model has but one."""

Shape = tuple[int, ...]
Given = TypeVar("Given")


@dataclass(frozen=True)
class Sizes:
    """What the user says of a model's inputs."""

    shapes: Mapping[str, Shape] = field(default_factory=dict)
    """By the name of the input, or by ``ONLY``."""
    images: int | None = None
    """The batch, where the model leaves it open."""


NOTHING_SAID = Sizes()


def by_name(given: Mapping[str, Given], inputs: Mapping[str, OpenType], what: str) -> dict[str, Given]:
    """What is given for each input, under the input's own name.

    Raises ``UserError`` for a name that no input has, and for ``ONLY`` where there are several.
    """
    found = dict(given)
    if ONLY in found:
        if len(inputs) != 1:
            raise UserError(f"{what} must say which of the model's inputs it is for: {listed(inputs)}")
        found[next(iter(inputs))] = found.pop(ONLY)
    for name in found:
        if name not in inputs:
            raise UserError(f"{what}: the model has no input {name}; it takes {listed(inputs)}")
    return found


def listed(inputs: Mapping[str, OpenType]) -> str:
    """All inputs with their types."""
    return ", ".join(f"{name}: {wanted}" for name, wanted in inputs.items()) or "nothing"


def input_shapes(inputs: Mapping[str, OpenType], sizes: Sizes) -> dict[str, Shape]:
    """A shape for each input.

    The first size of an input is the batch, one if nobody says otherwise. A size with a name that one shape tells is
    the same in all others.
    Raises ``UserError`` for shapes that the model does not admit, and where sizes stay open.
    """
    given = admitted(sizes.shapes, inputs)
    told = _told(given, inputs)
    shapes: dict[str, Shape] = {}
    for name, wanted in inputs.items():
        found = given[name] if name in given else _completed(wanted, told, sizes.images or 1)
        if found is None:
            raise UserError(f"the sizes of input {name} are open: {wanted}; give them with {_option(name, wanted)}")
        shapes[name] = found
    _require_batch(shapes, sizes.images)
    return shapes


def admitted(shapes: Mapping[str, Shape], inputs: Mapping[str, OpenType]) -> dict[str, Shape]:
    """The shapes by the names of inputs. Raises ``UserError`` for those that the model does not admit."""
    given = by_name(shapes, inputs, "--shape")
    for name, shape in given.items():
        if not inputs[name].admits(shape):
            raise UserError(f"--shape: input {name} must be {inputs[name]}, not {list(shape)}")
    return given


def narrowed(inputs: Mapping[str, OpenType], shapes: Mapping[str, Shape]) -> dict[str, OpenType]:
    """What the inputs admit once these shapes are given. Raises ``UserError`` as ``admitted`` does."""
    given = admitted(shapes, inputs)
    return {name: OpenType(wanted.dtype, given.get(name, wanted.shape)) for name, wanted in inputs.items()}


def _told(given: Mapping[str, Shape], inputs: Mapping[str, OpenType]) -> dict[str, int]:
    """What the names of sizes stand for, where that is clear: some exporters call all open sizes by one name."""
    meant: dict[str, set[int]] = defaultdict(set)
    for name, shape in given.items():
        for symbol, size in zip(inputs[name].shape or (), shape, strict=False):
            if isinstance(symbol, str):
                meant[symbol].add(size)
    return {symbol: sizes.pop() for symbol, sizes in meant.items() if len(sizes) == 1}


def _completed(wanted: OpenType, told: Mapping[str, int], images: int) -> Shape | None:
    """The shape, if nothing is open but the batch and what is told."""
    if wanted.shape is None:
        return None
    shape = []
    for axis, size in enumerate(wanted.shape):
        known = told.get(size) if isinstance(size, str) else size
        if known is None and axis == 0:
            known = images
        if known is None:
            return None
        shape.append(known)
    return tuple(shape)


def _option(name: str, wanted: OpenType) -> str:
    """How to give the sizes, with the names that the model has for them."""
    if wanted.shape is None:
        return f"--shape {name}=N,C,H,W"
    sizes = [1 if axis == 0 and not isinstance(size, int) else size for axis, size in enumerate(wanted.shape)]
    return f"--shape {name}={','.join('?' if size is None else str(size) for size in sizes)} (a number in each place)"


def _require_batch(shapes: Mapping[str, Shape], images: int | None) -> None:
    """Raise ``UserError`` if a batch was asked for and no input has it."""
    if images is not None and all(shape[:1] != (images,) for shape in shapes.values()):
        fixed = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise UserError(f"the model cannot take a batch of {images}: its inputs are {fixed}")
