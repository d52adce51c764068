"""Flattening before a fully connected layer, left out: the layer's kernel becomes as large as the image."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Sequence

from wingrid.host.compiler.algorithms import require_way
from wingrid.host.networks.layer import LayerError, fully_connected
from wingrid.host.onnx_models.graph import IMAGES, ROWS, AcceleratedStep, HostStep, Step, inputs_of
from wingrid.hw.config import AcceleratorConfig

RESHAPES = ("Flatten", "Reshape")


def flattened(steps: Sequence[Step], outputs: Container[str], config: AcceleratorConfig) -> list[Step]:
    """The steps of one image without those that only make a row of it for fully connected layers.

    Such a layer takes what the convolution before leaves as it lies in memory, so that the array goes on without the
    host. Sums are the same. ``outputs`` are the model's.
    """
    kept = list(steps)
    makers = {step.target: step for step in steps if isinstance(step, AcceleratedStep)}
    for node in [step for step in steps if isinstance(step, HostStep)]:
        source, target = node.node.input[:1], node.node.output[0]
        maker = makers.get(source[0]) if source else None
        takers = [step for step in kept if target in inputs_of(step)]
        if maker is None or target in outputs or not _only_flattens(node, maker, takers):
            continue
        joined = {id(step): _over_image(step, maker) for step in takers if isinstance(step, AcceleratedStep)}
        try:
            for step in joined.values():
                require_way(step.layer, config)
        except LayerError:
            continue
        kept = [joined.get(id(step), step) for step in kept if step is not node]
    return kept


def _only_flattens(node: HostStep, maker: AcceleratedStep, takers: list) -> bool:
    """Whether nobody needs the node: one image becomes one row, which only layers take."""
    shape = maker.target_type.shape
    return (
        node.operator in RESHAPES
        and maker.arrangement == IMAGES
        and len(shape) in (3, 4)
        and shape[0] == 1
        and bool(takers)
        and all(
            isinstance(taker, AcceleratedStep)
            and taker.arrangement == ROWS
            and taker.repeats is None
            and taker.addend is None
            and len(taker.source_type.shape) == 2
            and taker.source_type.shape[0] == 1
            for taker in takers
        )
    )


def _over_image(step: AcceleratedStep, maker: AcceleratedStep) -> AcceleratedStep:
    """The fully connected layer with a kernel of the image's size."""
    _, channels, *size = maker.target_type.shape
    height, width = (1, *size)[-2:]
    layer, weights = step.layer, step.operands.weights
    return dataclasses.replace(
        step,
        layer=dataclasses.replace(layer, shape=fully_connected(channels, height, width, len(weights)), prepared=False),
        operands=dataclasses.replace(step.operands, weights=weights.reshape(len(weights), channels, height, width)),
        arrangement=IMAGES,
        source=maker.target,
        source_type=maker.target_type,
    )
