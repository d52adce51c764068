"""What layers take by the timing model, several at a time; nothing is written before all of them are known to fit."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from wingrid.host.compiler.compile_layer import PlannedLayer, plan_exactly
from wingrid.host.execution.layer_result import LayerResult
from wingrid.host.execution.layer_run import time_compiled
from wingrid.host.execution.listener import Listener
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.layer import Layer, OperandSource


def time_layers(
    wanted: Iterable[tuple[Layer, OperandSource]], setup: Setup, listener: Listener | None = None
) -> list[LayerResult]:
    """What each layer takes; operands are only looked at if a layer's algorithm depends on them.

    Raises ``LayerError`` for the first that the accelerator cannot take, before any program is written.
    """
    planned = [plan_exactly(layer, operands, setup.config, setup.algorithm) for layer, operands in wanted]

    def time_planned(layer: PlannedLayer) -> LayerResult:
        return time_compiled(layer.compiled(), setup, listener)

    # Programs are written and played in C++, without Python's lock.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        try:
            return list(pool.map(time_planned, planned))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
