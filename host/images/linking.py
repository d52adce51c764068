"""Programs of layers, put one behind the other and moved to where their tensors lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wingrid.host.compiler.memory_map import MemoryMap
from wingrid.hw.encoding import record
from wingrid.hw.isa import Buffer, Load, Store


@dataclass(frozen=True)
class Addresses:
    """Offsets from the image's base at which a layer's tensors begin."""

    weights: int
    parameters: int
    tables: int
    inputs: int
    addends: int
    """0 for a layer that adds nothing."""
    outputs: int


def unplaced(bus_bytes: int) -> MemoryMap:
    """A memory in which all regions begin at 0: a program for it counts from the start of each."""
    return MemoryMap(0, 0, 0, 0, 0, 0, 0, bus_bytes)


def linked(program: bytes, addresses: Addresses, *, fence: bool) -> bytes:
    """A program that was compiled for ``unplaced`` regions, with its tensors where they are.

    With ``fence`` its first instruction, a LOAD in all programs, waits until what ran before is in memory. Every other
    instruction comes after it, and no sum is left to be stored then: the layer finds a machine with nothing to do.
    """
    words = np.frombuffer(bytearray(program), record(Load))
    loads = words["opcode"] == Load.opcode
    for buffer, start in (
        (Buffer.WEIGHTS, addresses.weights),
        (Buffer.CODES, addresses.weights),
        (Buffer.PARAMETERS, addresses.parameters),
        (Buffer.TABLES, addresses.tables),
        (Buffer.INPUTS, addresses.inputs),
        (Buffer.ADDENDS, addresses.addends),
    ):
        words["source"][loads & (words["buffer"] == buffer)] += np.uint32(start)
    stores = words.view(record(Store))
    stores["destination"][stores["opcode"] == Store.opcode] += np.uint32(addresses.outputs)
    if fence:
        assert loads[0], "a program begins with a LOAD: nothing else can start"
        words["fence"][0] = 1
    return words.tobytes()
