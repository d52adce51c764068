"""Arguments that the public functions share, as a setup for those below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from wingrid.host.errors import UserError
from wingrid.host.execution.setup import Setup, configuration, forced_algorithm
from wingrid.host.silicon.known_clock import with_clock
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming, named_memory

Config = AcceleratorConfig | Path | str | None
"""An accelerator: a configuration, the name of a TOML file, or ``None`` for the default one."""

Memory = MemoryTiming | str | None
"""The external memory: its timing, a name of ``wingrid.sim.memory.memory_names()``, or ``None`` for the usual one."""

Setting = int | str
"""A field of the configuration that differs, or ``algorithm``."""


Shapes = Sequence[int] | Mapping[str, Sequence[int]] | None
"""The shape of an ONNX model's input, or the shapes of its inputs by name."""


def shapes_by_name(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """The shapes by name, which is empty for that of the only input. Raises ``UserError`` for sizes below one."""
    named = {} if shapes is None else shapes if isinstance(shapes, Mapping) else {"": shapes}
    found = {name: tuple(int(size) for size in shape) for name, shape in named.items()}
    for shape in found.values():
        if not shape or min(shape) < 1:
            raise UserError(f"shape {list(shape)} must have sizes above 0")
    return found


def setup_for(
    backend: str,
    config: Config,
    memory: Memory,
    settings: Iterable[str],
    *,
    clock: float | None = None,
    target: str | None = None,
    jobs: int = 1,
    waves: str | Path | None = None,
    trace: str | Path | None = None,
) -> Setup:
    """The setup that the arguments describe; ``memory`` ``None`` is one of latency 40 that suits the bus.

    ``clock`` is assumed, in MHz; that of ``target`` is the one found by place and route; there is none without either.

    Raises ``UserError`` or ``ConfigError`` for what cannot be.
    """
    algorithm, fields = forced_algorithm(list(settings))
    chosen = configured(config, fields)
    setup = Setup(
        backend,
        chosen,
        _timing(memory, chosen.bus_bytes),
        jobs=jobs,
        waves=Path(waves) if waves is not None else None,
        algorithm=algorithm,
        trace=Path(trace) if trace is not None else None,
    )
    return with_clock(setup, clock, target)


def _timing(memory: Memory, bus_bytes: int) -> MemoryTiming:
    if not isinstance(memory, str):
        return memory or MemoryTiming.for_bus(bus_bytes)
    try:
        return named_memory(memory, bus_bytes)
    except ValueError as error:
        raise UserError(str(error)) from None


def configured(config: Config, fields: list[str] | None = None) -> AcceleratorConfig:
    """The configuration meant, with ``field=value`` texts applied. Raises ``ConfigError``."""
    return configuration(Path(config) if isinstance(config, str) else config, fields)


def as_texts(settings: Mapping[str, Setting | Iterable[Setting]]) -> list[str]:
    """Settings as the command line takes them; several values of one are joined by commas."""
    return [
        f"{name}={value if isinstance(value, int | str) else ','.join(map(str, value))}"
        for name, value in settings.items()
    ]
