"""The clock at which figures per second are told, and how it is known. There is no default one."""

from __future__ import annotations

from dataclasses import dataclass

from wingrid.host.errors import UserError


@dataclass(frozen=True)
class Clock:
    """A clock; without ``mhz`` one that nobody knows, so that no figure per second is told."""

    mhz: float | None = None
    origin: str | None = None
    """How it is known: ``assumed``, or ``routed on ecp5-85k-6``."""
    missing: str | None = None
    """Of a target that was named in vain: why its clock is not known, and how to find it, in a sentence."""

    def __str__(self) -> str:
        return f"{self.mhz:g} MHz, {self.origin}"


UNKNOWN = Clock()


def assumed(mhz: float) -> Clock:
    """The clock that a user supposes. Raises ``UserError`` for what is none."""
    if not 0 < mhz < 1e6:
        raise UserError(f"clock {mhz:g} must be a number of MHz above 0")
    return Clock(mhz, "assumed")


def routed_on(target: str, mhz: float) -> Clock:
    """The clock that was found by place and route on a target."""
    return Clock(mhz, f"routed on {target}")
