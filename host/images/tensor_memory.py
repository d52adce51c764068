"""Where the tensors of a network lie in one memory, and how much that is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy.typing as npt

from wingrid.host.compiler.compile_layer import plan_exactly
from wingrid.host.compiler.memory_map import page_after
from wingrid.host.execution.layer_run import Job
from wingrid.host.execution.network_result import TensorMemory, TensorPlace
from wingrid.host.execution.setup import Setup
from wingrid.host.images.placement import Need, placed
from wingrid.host.images.segmentation import Segmentation, segmented
from wingrid.host.images.work import worked
from wingrid.host.networks.layer import Operands
from wingrid.host.onnx_models.graph import ImportedGraph


def tensor_memory(segmentation: Segmentation) -> TensorMemory:
    """Each tensor where its lifetime leaves room, in the order of the segmentation."""
    tensors = segmentation.tensors
    starts, peak = placed([Need(tensor.layout.bytes, tensor.first, tensor.last) for tensor in tensors])
    places = [
        TensorPlace(tensor.name, start, tensor.layout.bytes, tensor.first, tensor.last)
        for tensor, start in zip(tensors, starts, strict=True)
    ]
    return TensorMemory(peak, sum(page_after(tensor.layout.bytes) for tensor in tensors), places)


def model_memory(graph: ImportedGraph, inputs: Mapping[str, npt.NDArray], setup: Setup) -> TensorMemory:
    """That of a model which nobody runs: as a run with one job would place its tensors.

    The inputs go through the model once, by golden, as only so is known what the host's parts take.
    """
    work, jobs = worked("model", graph, inputs)
    planned = [plan_exactly(job.layer, partial(_operands, job), setup.config, setup.algorithm) for job in jobs]
    return tensor_memory(segmented(work, planned))


def _operands(job: Job) -> Operands:
    return job.operands
