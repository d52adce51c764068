"""What the firmware prints, read: a line for each counter, output and class, or its complaint."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from wingrid.host.execution.driver import MachineFault
from wingrid.host.images.image import Image
from wingrid.hw.registers import Counter


@dataclass
class Sample:
    """What came of one sample."""

    counters: dict[str, dict[Counter, int]] = field(default_factory=dict)
    """Of each entry, by its name."""
    outputs: dict[str, bytes] = field(default_factory=dict)
    """The elements of each tensor that was printed, by the tensor's name."""
    found: int | None = None
    """The class, where there is one."""

    @property
    def cycles(self) -> int:
        """By the accelerator's own counter, all entries together."""
        return self.total(Counter.CYCLES)

    def total(self, counter: Counter) -> int:
        """A counter, summed over the entries."""
        return sum(counters[counter] for counters in self.counters.values())


def read_transcript(image: Image, lines: Iterable[str]) -> list[Sample]:
    """The samples in the order in which they ran. Raises ``MachineFault`` with what the firmware complains of."""
    samples: list[Sample] = []
    for line in lines:
        try:
            _read(image, samples, line.split(" "))
        except (ValueError, IndexError):
            raise MachineFault(f"the firmware says what nobody expects: {line}") from None
    return samples


def _read(image: Image, samples: list[Sample], words: list[str]) -> None:
    match words:
        case ["sample", _]:
            samples.append(Sample())
        case ["counter", entry, counter, value]:
            counters = samples[-1].counters.setdefault(image.contents.entries[int(entry)].name, {})
            counters[Counter(int(counter))] = int(value)
        case ["output", tensor, elements]:
            samples[-1].outputs[image.contents.tensors[int(tensor)].name] = bytes.fromhex(elements)
        case ["class", found]:
            samples[-1].found = int(found)
        case ["error:", *complaint]:
            raise MachineFault(f"the firmware says: {' '.join(complaint)}")
        case _:
            raise ValueError
