"""What crosses the bus, by class."""

from __future__ import annotations

from wingrid.hw.isa import Buffer

CLASSES = ("instructions", "weights", "activations", "parameters", "results")
"""Classes of memory traffic, as the hardware's counters name them."""

CLASS_OF_BUFFER = {
    Buffer.INPUTS: "activations",
    Buffer.WEIGHTS: "weights",
    Buffer.PARAMETERS: "parameters",
    Buffer.TABLES: "parameters",
    Buffer.ADDENDS: "activations",
    Buffer.CODES: "weights",
}
"""The class that a LOAD into each buffer counts as."""
