"""Tensors with holes between their channels, taken as they lie, where that is cheaper than to gather the channels.

Concatenations of channels that do not fill blocks are left with holes (``wingrid.host.onnx_models.concatenation``), and
a layer gathers what there is. A convolution takes what lies in holes, whatever it is, with weights of zero.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Container, Sequence

import numpy as np

from wingrid.host.compiler.algorithms import require_way
from wingrid.host.networks.layer import LayerError
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep, Step, inputs_of
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.hw.config import AcceleratorConfig


@dataclasses.dataclass(frozen=True)
class Gathering:
    """A layer that leaves, as ``target``, those ``channels`` of ``source`` that are no holes, and nothing else."""

    name: str
    source: str
    source_type: TensorType
    target: str
    channels: tuple[int, ...]


def taken_as_they_lie(
    steps: Sequence[Step], gatherings: Sequence[Gathering], outputs: Container[str], config: AcceleratorConfig
) -> list[Step]:
    """The steps without those gatherings whose takers do as well with holes. ``outputs`` are the model's."""
    kept = list(steps)
    for gathering in gatherings:
        takers = [step for step in kept if gathering.target in inputs_of(step)]
        if gathering.target in outputs or not takers or not _is_cheaper(gathering, takers, config):
            continue
        joined = {id(step): _with_holes(step, gathering) for step in takers if isinstance(step, AcceleratedStep)}
        try:
            for step in joined.values():
                require_way(step.layer, config)
        except LayerError:
            continue
        kept = [joined.get(id(step), step) for step in kept if step.name != gathering.name]
    return kept


def _is_cheaper(gathering: Gathering, takers: Sequence[Step], config: AcceleratorConfig) -> bool:
    """Whether all takers can take holes, and those cost less weight tiles for a pixel than the gathering does."""
    blocks, whole = (
        math.ceil(count / config.rows) for count in (len(gathering.channels), gathering.source_type.shape[1])
    )
    more = 0
    for step in takers:
        if (
            not isinstance(step, AcceleratedStep)
            or step.arrangement != IMAGES
            or step.layer.shape.groups > 1
            or step.repeats is not None
            or (step.addend and step.addend.name == gathering.target)
        ):
            return False
        shape = step.layer.shape
        more += math.ceil(shape.kernels / config.cols) * math.prod(shape.kernel) * (whole - blocks)
    return more <= math.ceil(len(gathering.channels) / config.cols) * whole


def _with_holes(step: AcceleratedStep, gathering: Gathering) -> AcceleratedStep:
    weights = step.operands.weights
    channels = gathering.source_type.shape[1]
    spread = np.zeros((len(weights), channels, *weights.shape[2:]), np.int8)
    spread[:, list(gathering.channels)] = weights
    return dataclasses.replace(
        step,
        layer=dataclasses.replace(step.layer, shape=dataclasses.replace(step.layer.shape, channels=channels)),
        operands=dataclasses.replace(step.operands, weights=spread),
        source=gathering.source,
        source_type=gathering.source_type,
        model_macs=step.macs,
    )
