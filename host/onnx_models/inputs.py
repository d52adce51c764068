"""What goes into an imported model: arrays of files, pictures, or seeded noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.networks.inputs import load_array
from wingrid.host.networks.pictures import load_picture
from wingrid.host.onnx_models.archives import SUFFIX, read_archive
from wingrid.host.onnx_models.room import require_room
from wingrid.host.onnx_models.shapes import OpenType
from wingrid.host.onnx_models.sizes import ONLY, Sizes, by_name, input_shapes, listed

NOISE_SEED = 1

Source = npt.NDArray | str
"""An array, or the name of a .npy file, an .npz file or a picture."""

Values = dict[str, npt.NDArray]
"""Tensors by name."""


def model_inputs(inputs: Mapping[str, OpenType], sources: Mapping[str, Source], sizes: Sizes) -> Values:
    """An array for each of a model's inputs: what the sources hold, or seeded noise if there are none.

    Sources go by the names of inputs; one without (``ONLY``) is for the only input, or an .npz file that holds an
    array for each. A picture becomes float32 [1, 3, H, W] from 0 to 1.
    Raises ``UserError`` for what the model does not take, for NaN and for infinity.
    """
    if not sources:
        shapes = input_shapes(inputs, sizes)
        for name, shape in shapes.items():
            require_room(inputs[name].dtype, shape, f"the model's input {name}")
        return {name: noise(inputs[name].dtype, shape) for name, shape in shapes.items()}
    given = _spread(sources, inputs)
    if missing := {name: wanted for name, wanted in inputs.items() if name not in given}:
        raise UserError(f"--input gives {', '.join(given)}, and the model also takes {listed(missing)}")
    values = {name: _value(inputs[name], *given[name]) for name in inputs}
    taken = {name: tuple(value.shape) for name, value in values.items()}
    for name, shape in by_name(sizes.shapes, inputs, "--shape").items():
        if taken[name] != tuple(shape):
            raise UserError(f"{given[name][1]} holds {list(taken[name])}, not {list(shape)} as --shape says")
    if sizes.images is not None and all(shape[:1] != (sizes.images,) for shape in taken.values()):
        first = next(iter(inputs))
        raise UserError(f"{given[first][1]} holds {len(values[first])} images, not a batch of {sizes.images}")
    return values


def _spread(sources: Mapping[str, Source], inputs: Mapping[str, OpenType]) -> dict[str, tuple[Source, str]]:
    """The source of each input that has one, and what to call it; the arrays of an archive each for themselves."""
    whole = sources.get(ONLY)
    if isinstance(whole, str) and whole.endswith(SUFFIX):
        arrays = read_archive(Path(whole))
        if len(inputs) == 1 and len(arrays) == 1:
            arrays = {next(iter(inputs)): array for array in arrays.values()}
        return {name: (array, f"{whole}: array {name}") for name, array in by_name(arrays, inputs, whole).items()}
    found = by_name(sources, inputs, "--input")
    return {name: (source, source if isinstance(source, str) else f"input {name}") for name, source in found.items()}


def _value(wanted: OpenType, source: Source, what: str) -> npt.NDArray:
    if isinstance(source, str):
        x = _array(source) if source.endswith((".npy", SUFFIX)) else _picture(source)
    else:
        x = source
    require_room(x.dtype, x.shape, what)
    if _converts(x.dtype, wanted.dtype):
        x = x.astype(wanted.dtype)
    if wanted.shape is not None and x.ndim == len(wanted.shape) - 1:
        x = x[None]
    if x.dtype != wanted.dtype or not wanted.admits(x.shape) or not x.size:
        raise UserError(f"{what} must hold {wanted}, not {x.dtype} {list(x.shape)}")
    if np.issubdtype(x.dtype, np.floating) and not np.isfinite(x).all():
        raise UserError(f"{what} holds values that are infinite or no numbers")
    return np.asarray(x, order="C")


def _converts(found: np.dtype, wanted: np.dtype) -> bool:
    """Whether an array is taken in another precision: floats all alike, integers where none can be lost."""
    if np.issubdtype(wanted, np.floating):
        return np.issubdtype(found, np.floating)
    return np.issubdtype(found, np.integer) and np.can_cast(found, wanted, "safe")


def noise(dtype: np.dtype, shape: Sequence[int]) -> npt.NDArray:
    """Normally distributed floats, or integers of all values, of a shape; always the same ones.

    Integers of 32 and 64 bits are ones: in networks they are lengths and indices, and hardly any has no place 1.
    """
    random = np.random.default_rng(NOISE_SEED)
    if np.issubdtype(dtype, np.floating):
        return random.normal(0, 1, shape).astype(dtype)
    if dtype == np.bool_:
        return random.integers(0, 2, shape).astype(np.bool_)
    if dtype.itemsize >= np.dtype(np.int32).itemsize:
        return np.ones(shape, dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def _picture(source: str) -> npt.NDArray:
    return (load_picture(source).astype(np.float32) / np.float32(255)).transpose(2, 0, 1)[None]


def _array(source: str) -> npt.NDArray:
    if not source.endswith(SUFFIX):
        x = load_array(source)
        if isinstance(x, np.ndarray):
            return x
    arrays = read_archive(Path(source))
    if len(arrays) != 1:
        raise UserError(f"{source} holds {len(arrays)} arrays, and one is wanted")
    return next(iter(arrays.values()))
