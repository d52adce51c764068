"""Layers on the RTL whose weights were damaged in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from wingrid.host.compiler.compile_layer import CompiledLayer
from wingrid.host.execution.driver import fill_memory, finish, read_output, start
from wingrid.host.networks.golden import golden
from wingrid.host.networks.layer import Operands
from wingrid.hw.registers import Control, Counter, Register, Status
from wingrid.sim.rtl.simulator import RtlSimulator


def damaged_run(
    compiled: CompiledLayer,
    operands: Operands,
    x: npt.NDArray[np.int8],
    damage: Callable[[npt.NDArray[np.uint8]], None],
) -> tuple[dict[Counter, int], npt.NDArray[np.int8]]:
    """Counters and output after ``damage`` to the streams; then the undamaged layer runs on the same device."""
    with RtlSimulator(compiled.config, memory_bytes=compiled.memory_bytes) as device:
        fill_memory(device.memory, compiled, operands, x)
        begin = compiled.memory.weights
        streams = device.memory[begin : begin + len(compiled.packed_weights(operands))]
        whole = streams.copy()
        damage(streams)
        before = device.memory.copy()
        start(device, compiled)
        device.run_until_interrupt()
        try:
            counters = finish(device)
            output = read_output(device.memory, compiled)
            # Nothing is written but results.
            changed = np.flatnonzero(device.memory != before)
            first = compiled.memory.outputs
            assert not len(changed) or (
                first <= changed[0] and changed[-1] < first + output.size * compiled.config.bus_bytes
            )
        finally:
            device.write_register(Register.CONTROL, Control.RESET)
            while Status(device.read_register(Register.STATUS)) & Status.RESETTING:
                pass
            streams[:] = whole
            start(device, compiled)
            device.run_until_interrupt()
            finish(device)
            assert np.array_equal(read_output(device.memory, compiled), golden(compiled.layer, operands, x))
    return counters, output
