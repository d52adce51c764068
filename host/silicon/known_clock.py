"""The clock of a setup: assumed by its user, or the one that place and route found for its configuration."""

from __future__ import annotations

import dataclasses

from wingrid.host.errors import UserError
from wingrid.host.execution.clock import Clock, assumed, routed_on
from wingrid.host.execution.setup import Setup
from wingrid.hw.config import AcceleratorConfig


def with_clock(setup: Setup, mhz: float | None, target: str | None) -> Setup:
    """The setup at ``mhz``, or at the clock of the target of that name, or at none.

    Raises ``UserError`` for what is no clock or no target, or if both are given.
    """
    if mhz is not None and target is not None:
        raise UserError(f"clock {mhz:g} and target {target} both name a clock: leave one of them out")
    if mhz is not None:
        return dataclasses.replace(setup, clock=assumed(mhz))
    return setup if target is None else dataclasses.replace(setup, clock=clock_on(setup.config, target))


def clock_on(config: AcceleratorConfig, target: str) -> Clock:
    """The clock of a configuration on a target, if just what would be generated today was routed for it.

    Raises ``UserError`` for an unknown target.
    """
    # Imported here: what estimates without a target do without.
    from wingrid.host.silicon.routed_clocks import changes, found_for
    from wingrid.host.silicon.synth import fingerprint
    from wingrid.host.silicon.target import find_target

    chip = find_target(target)
    if not chip.routes:
        return Clock(missing=f"{chip.unrouted} With --clock MHZ you can assume one.")
    rows = list(found_for(config, chip.name))
    # Only now: generating the Verilog takes seconds.
    today = fingerprint(config, chip) if rows else ""
    for row in rows:
        if row.fingerprint == today:
            return routed_on(chip.name, row.mhz)
    why = "what was routed is not what is generated today" if rows else "it was not routed yet"
    settings = "".join(f" --set {name}={value}" for name, value in changes(config).items())
    return Clock(
        missing=f"The clock of this configuration on {chip.name} is not known: {why}. "
        f"To find it: wingrid synth --target {target}{settings}"
    )
