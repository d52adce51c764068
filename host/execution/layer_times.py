"""What layers take by the timing model: one, or several at a time.

Nothing here needs the RTL, whose simulator and Verilog would take longer to import than an estimate to make.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from wingrid.host.compiler.compile_layer import CompiledLayer, PlannedLayer, compile_exactly, plan_exactly
from wingrid.host.execution.layer_result import LayerResult
from wingrid.host.execution.listener import Listener
from wingrid.host.execution.measurement import Activity, Measurement
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.layer import Layer, OperandSource
from wingrid.hw.registers import Counter
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.timing.model import TimingResult, simulate


def time_layers(
    wanted: Iterable[tuple[Layer, OperandSource]], setup: Setup, listener: Listener | None = None
) -> list[LayerResult]:
    """What each layer takes; operands are only looked at if a layer's algorithm depends on them.

    No program is written before all layers are known to fit: raises ``LayerError`` for the first that the accelerator
    cannot take.
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


def time_layer(layer: Layer, operands: OperandSource, setup: Setup, listener: Listener | None = None) -> LayerResult:
    """What the layer takes; its operands are only looked at if its algorithm depends on them.

    Raises ``LayerError``.
    """
    return time_compiled(compile_exactly(layer, operands, setup.config, setup.algorithm), setup, listener)


def time_compiled(compiled: CompiledLayer, setup: Setup, listener: Listener | None = None) -> LayerResult:
    """What a program takes."""
    program = compiled.program
    counters = play(compiled, program, setup.timing).counters
    if listener is not None:
        listener.done(compiled.layer.name)
    return described(compiled, program, counters, setup)


def play(compiled: CompiledLayer, program: bytes, timing: MemoryTiming, *, events: bool = False) -> TimingResult:
    """The layer's encoded program, where it lies in memory, on the timing model. Raises ``ProgramError``."""
    return simulate(compiled.config, program, timing, program_address=compiled.memory.program, events=events)


def described(compiled: CompiledLayer, program: bytes, counters: Mapping[Counter, int], setup: Setup) -> LayerResult:
    """What both hardware and timing model know of a layer."""
    coded = compiled.coded
    stream = (len(coded.entries), coded.raw_tiles) if coded else (0, 1)
    return LayerResult(
        compiled.layer,
        algorithm=compiled.algorithm,
        measurement=Measurement.from_counters(counters),
        unfolded=compiled.unfolding.taps if compiled.unfolding else None,
        sections=compiled.cutting.sections if compiled.cutting else None,
        activity=Activity.of(program, stream),
        compiled=compiled if setup.keep_programs else None,
    )
