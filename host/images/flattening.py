"""Flattening before a fully connected layer, left out: the layer's kernel becomes as large as the image."""

from __future__ import annotations

import dataclasses

from wingrid.host.networks.layer import fully_connected
from wingrid.host.onnx_models.graph import IMAGES, ROWS, AcceleratedStep, HostStep, ImportedGraph, inputs_of

RESHAPES = ("Flatten", "Reshape")


def flattened(graph: ImportedGraph) -> ImportedGraph:
    """The model for one image without those nodes that only make a row of it for fully connected layers.

    Such a layer takes what the convolution before leaves as it lies in memory, so that the array goes on without the
    host. Sums are the same.
    """
    steps = list(graph.steps)
    for node in graph.host_steps:
        makers = [step for step in graph.accelerated if step.target == node.node.input[0]]
        takers = [step for step in steps if node.node.output[0] in inputs_of(step)]
        if not makers or node.node.output[0] in graph.outputs or not _only_flattens(node, makers[0], takers):
            continue
        joined = {id(step): _over_image(step, makers[0]) for step in takers if isinstance(step, AcceleratedStep)}
        steps = [joined.get(id(step), step) for step in steps if step is not node]
    return dataclasses.replace(graph, steps=tuple(steps))


def _only_flattens(node: HostStep, maker: AcceleratedStep, takers: list) -> bool:
    """Whether nobody needs the node: one image becomes one row, which only layers take."""
    shape = maker.target_type.shape
    return (
        node.operator in RESHAPES
        and maker.arrangement == IMAGES
        and len(shape) == 4
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
    _, channels, height, width = maker.target_type.shape
    layer, weights = step.layer, step.operands.weights
    return dataclasses.replace(
        step,
        layer=dataclasses.replace(layer, shape=fully_connected(channels, height, width, len(weights)), prepared=False),
        operands=dataclasses.replace(step.operands, weights=weights.reshape(len(weights), channels, height, width)),
        arrangement=IMAGES,
        source=maker.target,
        source_type=maker.target_type,
    )
