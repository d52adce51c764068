"""Who hears how work gets on."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Hears how work gets on."""

    def building(self, text: str) -> None:
        """The simulator is being built."""

    def expect(self, cycles: float) -> None:
        """About ``cycles`` more cycles of simulation, or samples of a calibration, are to come."""

    def simulated(self, layer: str, cycles: int) -> None:
        """The layer's simulation, or what is done with samples, has come this far."""

    def done(self, layer: str) -> None:
        """The layer is finished."""


class Silence:
    """A listener that does not listen."""

    def building(self, text: str) -> None:
        pass

    def expect(self, cycles: float) -> None:
        pass

    def simulated(self, layer: str, cycles: int) -> None:
        pass

    def done(self, layer: str) -> None:
        pass
