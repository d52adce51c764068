"""What a SoC has done, as data, as a table and as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.table import Table

from wingrid.host.images.image import Image
from wingrid.host.onnx_models.session import Value
from wingrid.host.reports.report_table import compact_table
from wingrid.host.soc.checks import SocDiffers
from wingrid.host.soc.hardware import litex_version
from wingrid.host.soc.layout import BUSES
from wingrid.host.soc.transcript import Sample
from wingrid.hw.registers import Counter
from wingrid.hw.version import version
from wingrid.sim.memory import named_memory


@dataclass(frozen=True)
class SampleResult:
    """A sample's run, and what the host made of it."""

    ran: Sample
    outputs: Mapping[str, Value] = field(repr=False)
    """The network's, by name."""
    wrong: str | None
    """How outputs or counters differ from what they must be, if they do."""


@dataclass(frozen=True)
class SocResult:
    """A run of all samples."""

    image: Image
    memory: str
    """Name of the memory that the accelerator has in this SoC."""
    firmware_bytes: int
    cycles: int
    """Simulated, from reset to the firmware's end."""
    samples: list[SampleResult]
    model: Mapping[str, Mapping[Counter, int]]
    """All counters by the timing model, summed over entries, by the name of the memory."""

    def require_checks(self) -> None:
        """Raise ``SocDiffers`` unless every sample came out as it must."""
        wrong = [f"sample {number}: {sample.wrong}" for number, sample in enumerate(self.samples) if sample.wrong]
        if wrong:
            raise SocDiffers("\n".join(wrong))

    def lines(self) -> list[str]:
        """A line for each sample, and one for the whole."""
        told = []
        for number, sample in enumerate(self.samples):
            found = "" if sample.ran.found is None else f"class {sample.ran.found}, "
            exact = sample.wrong or "every bit as it must be"
            told.append(f"sample {number}: {found}{sample.ran.cycles:,} cycles of the accelerator, {exact}")
        told.append(
            f"{self.cycles:,} cycles from reset to the firmware's end, {self.firmware_bytes:,} bytes of firmware"
        )
        return told

    def table(self) -> Table:
        """The accelerator's cycles here beside those that the timing model tells for each named memory."""
        name = self.image.manifest["network"]
        table = compact_table(f"{name} on VexRiscv and the accelerator, LiteX bus {BUSES[self.memory]}", "memory")
        for column in ("cycles of an image", "of this SoC's"):
            table.add_column(column, justify="right")
        here = self.samples[0].ran.cycles
        table.add_row("this SoC, counted", f"{here:,}", "")
        for memory, counters in self.model.items():
            cycles = counters[Counter.CYCLES]
            table.add_row(f"{memory}, timing model", f"{cycles:,}", f"{100 * cycles / here:.4f} %")
        return table

    def as_json(self) -> str:
        """Everything, for programs."""
        bus_bytes = self.image.config.bus_bytes
        return (
            json.dumps(
                {
                    "wingrid": version(),
                    "network": self.image.manifest["network"],
                    "config": self.image.config.as_dict(),
                    "soc": {
                        "bus": BUSES[self.memory],
                        "memory": self.memory,
                        "litex": litex_version(),
                        "firmware_bytes": self.firmware_bytes,
                        "cycles": self.cycles,
                    },
                    "samples": [self._sample(sample) for sample in self.samples],
                    "timing_model": {
                        memory: {
                            "memory": dataclasses.asdict(named_memory(memory, bus_bytes)),
                            "cycles": counters[Counter.CYCLES],
                            "counters": _by_name(counters),
                        }
                        for memory, counters in self.model.items()
                    },
                },
                indent=2,
            )
            + "\n"
        )

    def _sample(self, sample: SampleResult) -> dict[str, Any]:
        return {
            "class": sample.ran.found,
            "cycles": sample.ran.cycles,
            "counters": {counter.name: sample.ran.total(counter) for counter in Counter},
            "outputs": {name: np.asarray(value).tolist() for name, value in sample.outputs.items()},
            "exact": sample.wrong is None,
        }


def _by_name(counters: Mapping[Counter, int]) -> dict[str, int]:
    return {counter.name: value for counter, value in counters.items()}
