"""A quantised ONNX model pruned and shared: an ordinary model, whose weights have many zeros and few values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.compression.compression_result import CompressionResult, LayerCompression
from wingrid.host.compression.model_weights import LayerWeights, as_in_file, find_weights, with_weights
from wingrid.host.compression.pipeline import sizes
from wingrid.host.compression.pruning import kept
from wingrid.host.compression.relative_index import BITS
from wingrid.host.compression.settings import PerLayer
from wingrid.host.compression.sharing import shared_codes
from wingrid.host.execution.listener import Listener
from wingrid.host.execution.quantisation_result import Closeness
from wingrid.host.onnx_models.calibration import Calibration, Source
from wingrid.host.onnx_models.calibration_pictures import AS_THEY_ARE, PictureForm
from wingrid.host.onnx_models.closeness import ClosenessSums
from wingrid.host.onnx_models.inputs import Values
from wingrid.host.onnx_models.model_file import about, read_model
from wingrid.host.onnx_models.refusal import ModelRefused
from wingrid.host.onnx_models.session import Value, compute, open_session
from wingrid.host.onnx_models.sizes import Shape

CODES = np.iinfo(np.int8)


@dataclass(frozen=True)
class Wanted:
    """What is to become of the layers."""

    density: PerLayer[float]
    values: PerLayer[int]
    index_bits: int = BITS
    """Of the relative index that sizes are told for."""


def compress_file(
    path: Path,
    wanted: Wanted,
    sources: Mapping[str, Source],
    listener: Listener,
    *,
    form: PictureForm = AS_THEY_ARE,
    shapes: Mapping[str, Shape] | None = None,
    limit: int | None = None,
) -> CompressionResult:
    """Compress the model of a file; with ``sources``, as in ``Calibration``, compare it with what it was.

    Raises ``UserError``, among others for a model that is not quantised, or has no constant weights.
    """
    model = read_model(path)
    with about(path):
        if not model.is_quantised:
            raise ModelRefused("the model is not quantised: int8 codes are what is shared; wingrid quantize makes them")
        found = find_weights(model.proto)
        layers = [layer for layer in found if _fits(layer)]
        if not layers:
            raise ModelRefused("the model has no layer with constant weights of 8 bits")
        for setting in (wanted.density, wanted.values):
            setting.require_known(layers)
        samples = Calibration(sources, model.inputs, shapes=shapes, form=form, limit=limit) if sources else None
        codes = {layer.initialiser: compressed_codes(layer, wanted) for layer in layers}
        changed = [layer for layer in layers if not np.array_equal(codes[layer.initialiser], layer.codes)]
        replaced = {layer.initialiser: as_in_file(layer, codes[layer.initialiser]) for layer in changed}
        made = with_weights(model.proto, replaced)
        if samples is None:
            whole, alone = Comparison([], None), {}
        else:
            listener.expect((len(changed) + 1) * len(samples))
            judge = _Judge(model.proto, samples, listener)
            whole = judge.compare(made)
            alone = {
                layer.layer: judge.compare(
                    with_weights(model.proto, {layer.initialiser: replaced[layer.initialiser]})
                ).outputs
                for layer in changed
            }
    return CompressionResult(
        path.name,
        made.SerializeToString(),
        wanted.index_bits,
        [_outcome(layer, codes[layer.initialiser], wanted, alone.get(layer.layer)) for layer in layers],
        whole.outputs,
        whole.agreement,
        0 if samples is None else len(samples),
        [f"{layer.layer} is left alone: its weights, less their zero point, are no int8" for layer in found
         if not _fits(layer)],
    )  # fmt: skip


def _fits(layer: LayerWeights) -> bool:
    return layer.codes.size > 0 and CODES.min <= layer.codes.min() and layer.codes.max() <= CODES.max


def compressed_codes(layer: LayerWeights, wanted: Wanted) -> npt.NDArray[np.int16]:
    """The layer's codes, the smallest weights made zero and the others few; as real weights, by their scales.

    A layer of which nothing is wanted, or that has as few weights and values already, stays as it is.
    """
    codes = layer.codes.copy()
    density, count = wanted.density.of(layer), wanted.values.of(layer)
    if density is not None and np.count_nonzero(codes) > round(density * codes.size):
        codes[~kept(np.abs(codes) * layer.scales, density)] = 0
    if count is not None:
        places = codes != 0
        importance = np.broadcast_to(np.asarray(layer.scales, np.float64) ** 2, codes.shape)[places]
        shared = shared_codes(codes[places].astype(np.int8), importance, count)
        codes[places] = shared.codebook[shared.labels]
    return codes


def _outcome(
    layer: LayerWeights, codes: npt.NDArray, wanted: Wanted, alone: Sequence[Closeness] | None
) -> LayerCompression:
    def density(values: npt.NDArray) -> float:
        return float(np.count_nonzero(values) / values.size)

    def distinct(values: npt.NDArray) -> int:
        return int(np.count_nonzero(np.unique(values)))

    return LayerCompression(
        layer.layer,
        layer.kind,
        density(layer.codes),
        density(codes),
        distinct(layer.codes),
        distinct(codes),
        sizes(codes.astype(np.int8), wanted.index_bits),
        alone,
    )


@dataclass(frozen=True)
class Comparison:
    """How a model's outputs compare with those of the model as it was."""

    outputs: Sequence[Closeness]
    agreement: float | None


class _Judge:
    """ONNX Runtime on the samples: the model as it was, once, and then others."""

    def __init__(self, model: onnx.ModelProto, samples: Iterable[Values], listener: Listener) -> None:
        self._samples, self._listener = samples, listener
        session = open_session(model)
        self._expected: list[Mapping[str, Value]] = [compute(session, feed) for feed in samples]
        makers = {name: node.op_type for node in model.graph.node for name in node.output}
        self._operators = {value.name: makers.get(value.name, "input") for value in model.graph.output}
        self._done = 0

    def compare(self, model: onnx.ModelProto) -> Comparison:
        session = open_session(model)
        sums = {name: ClosenessSums() for name in self._operators}
        first = next(iter(self._operators))
        agreements: list[bool] = []
        rows = True
        for feed, expected in zip(self._samples, self._expected, strict=True):
            found = compute(session, feed)
            for name, entry in sums.items():
                entry.add(expected[name], found[name])
            rows &= _is_rows(expected[first])
            if rows:
                agreements += _same_largest(expected[first], found[first])
            self._done += 1
            self._listener.simulated("comparing", self._done)
        closeness = [entry.closeness(name, self._operators[name]) for name, entry in sums.items()]
        return Comparison(closeness, float(np.mean(agreements)) if rows and agreements else None)


def _is_rows(value: Value) -> bool:
    """Whether a value is one row of a classifier's figures for each image: its largest is the class."""
    return isinstance(value, np.ndarray) and value.ndim >= 2 and value[0].size == max(value.shape[1:]) > 1


def _same_largest(expected: npt.NDArray, found: npt.NDArray) -> Iterator[bool]:
    left, right = (values.reshape(len(values), -1).argmax(axis=1) for values in (expected, found))
    yield from (left == right).tolist()
