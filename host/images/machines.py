"""The machines that an image can be run on here: the executable specification, and the RTL beside the timing model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from wingrid.host.execution.driver import finish, start_program
from wingrid.host.images.binary import EntryRecord
from wingrid.host.images.image import Image
from wingrid.hw.registers import Counter
from wingrid.sim.functional import FunctionalMachine
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.rtl.simulator import RtlSimulator
from wingrid.sim.timing.equality import difference
from wingrid.sim.timing.model import TimingResult, simulate


class SpecifiedMachine:
    """The instruction set as a program; ``seed`` draws how its engines interleave. It has no time, and no counters."""

    def __init__(self, image: Image, seed: int = 1) -> None:
        self._machine = FunctionalMachine(image.config, image.contents.memory_bytes, seed)

    @property
    def memory(self) -> npt.NDArray[np.uint8]:
        """From the image's base on."""
        return self._machine.memory

    def run(self, entry: EntryRecord) -> None:
        """Raises ``ProgramError``."""
        self._machine.run(entry.program, entry.instructions)


class RtlMachine:
    """The Verilated accelerator, or the ``verilog`` of one, with the image at ``base`` on its bus.

    After each entry ``differences`` has how its time differs from the timing model's.
    """

    def __init__(
        self,
        image: Image,
        timing: MemoryTiming | None = None,
        *,
        base: int = 0,
        seed: int = 1,
        progress: Callable[[int], None] | None = None,
        waves: Path | None = None,
        verilog: str | None = None,
    ) -> None:
        self._image = image
        self._progress = progress
        self.device = RtlSimulator(
            image.config,
            timing=timing or image.timing,
            memory_bytes=image.contents.memory_bytes,
            base=base,
            seed=seed,
            waves=waves,
            verilog=verilog,
        )
        self.differences: dict[str, str | None] = {}

    @property
    def memory(self) -> npt.NDArray[np.uint8]:
        """From the image's base on."""
        return self.device.memory

    def run(self, entry: EntryRecord) -> dict[Counter, int]:
        """Raises ``MachineFault`` or the simulator's errors."""
        device = self.device
        device.record_events()
        start_program(device, self._image.config, entry.program, entry.instructions)
        device.run_until_interrupt(self._progress)
        events = device.events()
        counters = finish(device)
        program = self._image.program(entry)
        model = play_entry(self._image, entry, device.timing, events=True)
        self.differences[entry.name] = difference(program, model, counters, events)
        return counters

    def __enter__(self) -> RtlMachine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.device.close()


def play_entry(
    image: Image, entry: EntryRecord, timing: MemoryTiming | None = None, *, events: bool = False
) -> TimingResult:
    """What an entry takes by the timing model, on the manifest's memory or another one."""
    program = image.program(entry)
    return simulate(image.config, program, timing or image.timing, program_address=entry.program, events=events)
