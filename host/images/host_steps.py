"""What the host does between the entries of an image, from the manifest and the segment files alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from wingrid.host.networks.response_normalisation import ResponseNormalisation
from wingrid.host.onnx_models.session import Value, compute, open_session


def carry_out(step: Mapping[str, Any], values: Mapping[str, Value], segments: Mapping[str, bytes]) -> dict[str, Value]:
    """The outputs of a step of the host, by name."""
    if step["model"] is not None:
        model = onnx.ModelProto.FromString(segments[step["model"]])
        return compute(open_session(model), {name: values[name] for name in step["inputs"]})
    assert step["host"] == ["ResponseNormalisation"], "all else is an ONNX model"
    parameters = dict(step["parameters"])
    zero_point = parameters.pop("zero_point")
    taken = np.asarray(values[step["inputs"][0]])
    return {step["outputs"][0]: ResponseNormalisation(**parameters).apply(taken, zero_point)}
