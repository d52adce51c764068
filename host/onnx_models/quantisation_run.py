"""A whole quantisation: samples, the int8 model, and the proof that ONNX Runtime opens it and how close it comes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from wingrid.host.execution.listener import Listener, Silence
from wingrid.host.execution.quantisation_result import QuantisationResult
from wingrid.host.onnx_models.accuracy import accuracy
from wingrid.host.onnx_models.calibration import Calibration, Source
from wingrid.host.onnx_models.calibration_pictures import AS_THEY_ARE, PictureForm
from wingrid.host.onnx_models.importer import import_model
from wingrid.host.onnx_models.model_file import about, read_model
from wingrid.host.onnx_models.model_run import placement_of
from wingrid.host.onnx_models.quantising import MIN_MAX, Method, quantised, require_float
from wingrid.host.onnx_models.sizes import Shape
from wingrid.hw.config import AcceleratorConfig

COMPARED = 16
"""Samples, at most, that both models are run on."""


def quantise_file(
    path: Path,
    sources: Mapping[str, Source],
    *,
    method: Method = MIN_MAX,
    form: PictureForm = AS_THEY_ARE,
    shapes: Mapping[str, Shape] | None = None,
    limit: int | None = None,
    listener: Listener | None = None,
) -> QuantisationResult:
    """Quantise the model of an .onnx file; ``sources`` are as in ``Calibration``.

    What comes back was opened by ONNX Runtime and imported. Raises ``UserError``.
    """
    hears: Listener = listener or Silence()
    model = read_model(path)
    with about(path):
        require_float(model)
        samples = Calibration(sources, model.inputs, shapes=shapes, form=form, limit=limit)
        compared = min(len(samples), COMPARED)
        hears.expect(method.passes * len(samples) + compared)
        made = quantised(model, samples, method=method, listener=hears)
        close = accuracy(model, made, islice(samples, compared), hears)
        first = {name: value.shape for name, value in next(iter(samples)).items()}
        graph = import_model(made.model, first, AcceleratorConfig())
    return QuantisationResult(
        path.name,
        made.model.proto.SerializeToString(),
        method.name,
        len(samples),
        compared,
        close.outputs,
        close.worst,
        placement_of(graph),
        [*samples.remarks, *model.changes],
    )
