"""Samples that a model is calibrated with: arrays, archives, and folders of arrays, archives or pictures.

They are read one at a time, as often as they are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import EllipsisType

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.networks.inputs import load_array
from wingrid.host.onnx_models.archives import read_from_archive, shapes_in_archive
from wingrid.host.onnx_models.calibration_folders import ARCHIVES, ARRAYS, PICTURES, calibration_files, kind_of
from wingrid.host.onnx_models.calibration_pictures import AS_THEY_ARE, PictureForm
from wingrid.host.onnx_models.inputs import Values, model_inputs
from wingrid.host.onnx_models.shapes import OpenType
from wingrid.host.onnx_models.sizes import ONLY, Shape, Sizes, by_name, narrowed

Source = npt.NDArray | str | Path
"""An array with samples one below the other; an .npy or .npz file of them; or a folder."""

Inputs = Mapping[str, OpenType]
Place = int | slice | EllipsisType
"""Where in an array a sample is."""


@dataclass(frozen=True)
class Sample:
    """One input of a model, of one sample: read when it is wanted."""

    origin: str
    """For messages."""
    read: Callable[[], npt.NDArray]


class Calibration:
    """Samples for all inputs of a model, each a set of inputs by name. Those of a batch that is not full are left out.

    Sources go by the names of inputs; one without (``ONLY``) is for the only input, or holds archives with an array
    for each. Raises ``UserError`` for what is no such source, and, when it is read, for what the model does not take.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        inputs: Inputs,
        *,
        shapes: Mapping[str, Shape] | None = None,
        form: PictureForm = AS_THEY_ARE,
        limit: int | None = None,
    ) -> None:
        if limit is not None and limit < 1:
            raise UserError(f"--samples {limit} must be at least 1")
        self._inputs = narrowed(inputs, shapes or {})
        self._form = form
        self.remarks: list[str] = []
        """A sentence for each folder with files that were passed over."""
        self._pictures = False
        # Samples of an array follow each other, and there is one array for each input at a time.
        self._archived = lru_cache(maxsize=len(inputs))(read_from_archive)
        self._columns = self._read(sources)
        if form != AS_THEY_ARE and not self._pictures:
            raise UserError("--mean, --scale and --layout are for pictures, and there are none to calibrate with")
        counts = {name: len(column) for name, column in self._columns.items()}
        if min(counts.values(), default=0) == 0:
            least = ", ".join(f"{_batch(wanted)} of {name}" for name, wanted in self._inputs.items())
            raise UserError(f"calibration needs at least so many samples, one below the other: {least}")
        if len(set(counts.values())) > 1:
            given = ", ".join(f"{count} of {name}" for name, count in counts.items())
            raise UserError(f"calibration needs as many samples of one input as of the other, not {given}")
        self._count = min(limit or counts[next(iter(counts))], *counts.values())

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Values]:
        for index in range(self._count):
            samples = {name: column[index] for name, column in self._columns.items()}
            yield {name: self._value(name, sample) for name, sample in samples.items()}

    def _value(self, name: str, sample: Sample) -> npt.NDArray:
        """The sample's array as the model takes it."""
        value = sample.read()
        try:
            return model_inputs({name: self._inputs[name]}, {name: value}, Sizes())[name]
        except UserError as error:
            raise UserError(f"{sample.origin}: {error}") from None

    def _read(self, sources: Mapping[str, Source]) -> dict[str, list[Sample]]:
        whole = sources.get(ONLY)
        if whole is not None and not isinstance(whole, np.ndarray) and (archives := self._archives(whole)):
            if len(sources) > 1:
                raise UserError(f"{whole} holds all inputs, and others cannot be given beside it")
            columns: dict[str, list[Sample]] = {name: [] for name in self._inputs}
            for path in archives:
                for name, samples in _from_archive(path, self._inputs, self._archived).items():
                    columns[name] += samples
            return columns
        found = by_name(sources, self._inputs, "--calibration")
        if missing := [name for name in self._inputs if name not in found]:
            raise UserError(f"calibration lacks samples of {', '.join(missing)}")
        return {name: list(self._column(name, found[name])) for name in self._inputs}

    def _archives(self, source: str | Path) -> list[Path]:
        """The archives that a source is, or holds."""
        path = Path(source)
        if not path.is_dir():
            return [path] if kind_of(path) == ARCHIVES else []
        files = calibration_files(path)
        if files.kind != ARCHIVES:
            return []
        self.remarks += files.remarks
        return files.paths

    def _column(self, name: str, source: Source) -> Iterator[Sample]:
        """The samples of one input."""
        if isinstance(source, np.ndarray):
            yield from _samples(f"input {name}", source.shape, self._inputs[name], partial(np.asarray, source))
        elif not Path(source).is_dir():
            yield from self._from_file(name, Path(source))
        else:
            files = calibration_files(Path(source))
            self.remarks += files.remarks
            if files.kind in (ARRAYS, ARCHIVES):
                for path in files.paths:
                    yield from self._from_file(name, path)
            else:
                yield from self._pictures_in(files.paths, name)

    def _from_file(self, name: str, path: Path) -> Iterator[Sample]:
        kind = kind_of(path)
        if kind == ARCHIVES:
            yield from _from_archive(path, {name: self._inputs[name]}, self._archived)[name]
        elif kind == ARRAYS:
            yield from _samples(str(path), _array(path).shape, self._inputs[name], partial(_array, path))
        elif kind == PICTURES:
            yield from self._pictures_in([path], name)
        elif path.exists():
            raise UserError(f"{path} is no .npz or .npy file, no picture, and no folder of them")
        else:
            raise UserError(f"cannot read {path}: there is no such file or folder")

    def _pictures_in(self, paths: Sequence[Path], name: str) -> Iterator[Sample]:
        """As many pictures to a sample as the model's batch has."""
        self._pictures = True
        wanted = self._inputs[name]
        size = _batch(wanted)
        for start in range(0, len(paths) - size + 1, size):
            chosen = paths[start : start + size]
            origin = str(chosen[0]) if size == 1 else f"{chosen[0]} and {size - 1} others"
            yield Sample(origin, partial(self._batch_of, chosen, name, wanted))

    def _batch_of(self, paths: Sequence[Path], name: str, wanted: OpenType) -> npt.NDArray:
        pictures = [self._form.picture(str(path), name, wanted) for path in paths]
        if len({picture.shape for picture in pictures}) > 1:
            raise UserError(f"{paths[0]} and {paths[-1]} go in together, and must be made one size with --shape")
        return np.stack(pictures)


def _from_archive(path: Path, inputs: Inputs, read: Callable[[Path, str], npt.NDArray]) -> dict[str, list[Sample]]:
    """The samples in the arrays named like the inputs, or in the only one for the only input."""
    shapes = shapes_in_archive(path)
    only = len(inputs) == len(shapes) == 1
    held = dict(zip(inputs, shapes, strict=True)) if only else {name: name for name in inputs}
    if any(name not in shapes for name in held.values()):
        raise UserError(
            f"{path} must hold arrays named {', '.join(inputs)}, as the model's inputs are, "
            f"not {', '.join(shapes) or 'none'}"
        )
    return {
        name: list(_samples(str(path), shapes[key], inputs[name], partial(read, path, key)))
        for name, key in held.items()
    }


def _samples(origin: str, shape: Sequence[int], wanted: OpenType, read: Callable[[], npt.NDArray]) -> Iterator[Sample]:
    """The samples that an array of this shape holds."""
    for place in _places(shape, wanted):
        yield Sample(origin, partial(_at, place, read))


def _array(path: Path) -> npt.NDArray:
    array = load_array(str(path))
    if not isinstance(array, np.ndarray):
        raise UserError(f"{path} is no .npy file of numbers")
    return array


def _at(place: Place, read: Callable[[], npt.NDArray]) -> npt.NDArray:
    return read()[place]


def _places(shape: Sequence[int], wanted: OpenType) -> list[Place]:
    """Where the samples are: whole inputs one behind the other, batches of images, or one image without its batch."""
    axes = len(shape) if wanted.shape is None else len(wanted.shape)
    if not shape or len(shape) == axes - 1:
        return [...]
    if len(shape) == axes + 1:
        return list(range(shape[0]))
    size = _batch(wanted)
    return [slice(start, start + size) for start in range(0, shape[0] - size + 1, size)]


def _batch(wanted: OpenType) -> int:
    """How many images go in together: one where the model leaves it open."""
    first = wanted.shape[0] if wanted.shape else 1
    return first if isinstance(first, int) else 1
