"""Many accelerators at once: one mesh, and the sizes of its buffers in arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from wingrid.hw.config import AcceleratorConfig, longest_burst, rules

SHARED = ("rows", "cols", "winograd", "bus_bytes", "tables", "sparse", "decoders", "addends", "address_bits")
"""Fields that all designs of a batch have in common: they decide how layers fall into blocks."""


class Designs:
    """Accelerators that differ in fields that are not ``SHARED``; what is asked of them is answered in arrays.

    They have the fields and sizes of ``AcceleratorConfig``, so that whatever only calculates with those takes either.
    Bursts are as long as page and output buffer allow where ``columns`` do not say.
    """

    def __init__(self, mesh: AcceleratorConfig, columns: Mapping[str, npt.ArrayLike]) -> None:
        self.mesh = mesh
        sizes = {name: np.asarray(values, np.int64) for name, values in columns.items()}
        arrays = np.broadcast_arrays(*sizes.values()) if sizes else [np.zeros(1)]
        self._count = len(arrays[0])
        self._columns = dict(zip(sizes, arrays, strict=False))
        for field in dataclasses.fields(mesh):
            if field.name not in SHARED and field.name not in self._columns:
                self._columns[field.name] = np.full(self._count, getattr(mesh, field.name), np.int64)
        self._columns["burst_beats"] = np.minimum(self._columns["burst_beats"], longest_burst(mesh.bus_bytes))

    @classmethod
    def of(cls, config: AcceleratorConfig) -> Designs:
        """The batch of a single one."""
        return cls(config, {"input_buffer": [config.input_buffer]})

    def __len__(self) -> int:
        return self._count

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (a number for all, or an array)
        if name.startswith("_"):
            raise AttributeError(name)
        return self._columns[name] if name in self._columns else getattr(self.mesh, name)

    # What follows from fields that are arrays here follows as it does for one.
    parameter_entries = AcceleratorConfig.parameter_entries
    block_memories = AcceleratorConfig.block_memories
    on_chip_bytes = AcceleratorConfig.on_chip_bytes

    @cached_property
    def legal(self) -> npt.NDArray[np.bool_]:
        """Which of them can work at all."""
        held = np.ones(self._count, np.bool_)
        for _, holds, _ in rules(self):
            held &= holds
        return held

    def only(self, chosen: npt.NDArray[Any]) -> Designs:
        """Those of a mask or of indices."""
        return Designs(self.mesh, {name: values[chosen] for name, values in self._columns.items()})

    def config(self, index: int) -> AcceleratorConfig:
        """One of them. Raises ``ConfigError`` for one that is not ``legal``."""
        return dataclasses.replace(self.mesh, **{name: int(values[index]) for name, values in self._columns.items()})

    @cached_property
    def largest(self) -> AcceleratorConfig:
        """The mesh with the most accumulators of them: it expresses all that any of them does."""
        return self.config(int(np.argmax(np.where(self.legal, self.accumulators, -1))))
