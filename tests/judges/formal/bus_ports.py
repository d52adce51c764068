"""A bus whose inputs are a bench's inputs."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib.wiring import In
from rules import Bench


def drive(m: Module, bus: object, bench: Bench, signature: object) -> None:
    """Connect a bus's inputs to the bench's inputs of the same names."""
    for name, member in signature.members.items():  # type: ignore[attr-defined]
        if member.flow == In:
            m.d.comb += getattr(bus, name).eq(getattr(bench, name))


def free(signature: object) -> dict[str, object]:
    """The shapes of a bus's inputs."""
    return {name: member.shape for name, member in signature.members.items() if member.flow == In}  # type: ignore[attr-defined]
