"""Estimates of networks by the timing model, for one configuration or many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wingrid.host.api.conditions import Config, Memory, Setting, Shapes, as_texts, setup_for, shapes_by_name
from wingrid.host.api.outcomes import Estimate, Sweep
from wingrid.host.errors import UserError
from wingrid.host.estimates.estimate import estimator
from wingrid.host.estimates.sweep import combinations, estimate_variants
from wingrid.host.execution.setup import Setup


def estimate(
    network: str,
    *,
    config: Config = None,
    memory: Memory = None,
    clock: float | None = None,
    target: str | None = None,
    batch: int | None = None,
    shape: Shapes = None,
    layers: Sequence[str] | None = None,
    assume_int8: bool = False,
    int8_kernels: bool = True,
    **settings: Setting,
) -> Estimate:
    """What a network takes on one accelerator, by the timing model: cycles, bytes, energy, bounds.

        estimate("vgg16", rows=32, cols=32).frame()

    ``network`` is a built-in one or the path of an .onnx file; ``layers`` leaves others than these out. ``config`` is
    a configuration, a TOML file or ``None`` for the default one; ``settings`` are fields that differ from it, or
    ``algorithm``. ``memory`` is a timing or a name (``"litex-axi"``, see ``wingrid estimate --help``), by default a
    latency of 40 cycles and 16 bytes per cycle, or what a narrower bus carries.
    Images per second are told at ``clock``, which is assumed, in MHz, or at the one that ``wingrid synth`` found for
    ``target`` (``"ecp5-85k-6"``); without either, or where nothing of the kind was found, they are ``None``. ``batch``
    counts images, 1 if it is left out. Of an ONNX model, ``shape`` is that of its input, by name if it has several;
    ``assume_int8`` takes a float one as if it were quantised, ``int8_kernels`` is explained at ``run``.

    Raises ``UserError`` or ``ConfigError``, one sentence each, for what cannot be.
    """
    if (several := len(combinations(as_texts(settings)))) > 1:
        raise UserError(f"an estimate takes one configuration, not {several}: use sweep")
    swept = sweep(
        network,
        config=config,
        memory=memory,
        clock=clock,
        target=target,
        batch=batch,
        shape=shape,
        layers=layers,
        assume_int8=assume_int8,
        int8_kernels=int8_kernels,
        **settings,
    )
    return swept.estimates()[0]


def sweep(
    network: str,
    *,
    config: Config = None,
    memory: Memory = None,
    clock: float | None = None,
    target: str | None = None,
    batch: int | None = None,
    shape: Shapes = None,
    layers: Sequence[str] | None = None,
    assume_int8: bool = False,
    int8_kernels: bool = True,
    **settings: Setting | Iterable[Setting],
) -> Sweep:
    """What a network takes for every combination of settings, each of which may be a list of values.

        sweep("vgg16", rows=[8, 16, 32], cols=[8, 16]).frame()

    The other arguments and the errors are those of ``estimate``.
    """
    if batch is not None and batch < 1:
        raise UserError(f"batch = {batch} must be at least 1")
    shapes = shapes_by_name(shape)
    by_model = estimator(network, layers, batch, shapes=shapes, assume_int8=assume_int8, int8_kernels=int8_kernels)

    def describe(fields: list[str]) -> Setup:
        return setup_for("timing", config, memory, fields, clock=clock, target=target)

    return Sweep(estimate_variants(combinations(as_texts(settings)), describe, lambda setup: by_model(setup, None)))
