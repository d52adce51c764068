"""A network's report from the timing model alone, for one configuration or many."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from host.errors import UserError
from host.layers import LayerError
from host.network_run import select_layers
from host.networks import find, is_onnx
from host.networks.network import Network
from host.networks.operands import seeded_operands
from host.report import Report
from host.runner import Listener, Machine, Silence, time_layer
from hw.config import ConfigError
from sim.timing import build


def estimate_network(
    network: Network,
    machine: Machine,
    names: Sequence[str] | None = None,
    images: int = 1,
    listener: Listener | None = None,
) -> Report:
    """What the layers of these names take, or all of them, for a batch of images.

    No tensor is computed. A layer of so many channels that its weights decide whether Winograd is exact gets the
    weights that a run would get. Raises ``UserError`` for names that the network does not have, and ``LayerError``.
    """
    hears: Listener = listener or Silence()
    selected = select_layers(network, names)
    build.library(hears.building)
    started = time.perf_counter()
    results = [
        time_layer(layer, partial(seeded_operands, layer), machine, hears)
        for layer in network.layers(images)
        if layer.name in selected
    ]
    whole = len(selected) == len(network.layers())
    return Report(network.name, machine, results, images if whole else 0, time.perf_counter() - started)


def estimator(
    network: str, names: Sequence[str] | None, images: int, *, assume_int8: bool = False
) -> Callable[[Machine, Listener | None], Report]:
    """What estimates a network on one machine after another: a built-in one, or the ONNX model of a file.

    ``assume_int8`` takes a float model too. Raises ``UserError`` for a network that there is not, and for layers that
    a built-in one does not have.
    """
    if is_onnx(network):
        # Imported here: what other networks do without.
        from host.onnx_import.estimation import estimate_model

        return lambda on, listener: estimate_model(network, on, names, images, listener, assume_int8=assume_int8)
    if assume_int8:
        raise UserError(f"--assume-int8 is for .onnx files, and {network} is in int8 already")
    chosen = find(network)
    select_layers(chosen, names)
    return lambda on, listener: estimate_network(chosen, on, names, images, listener)


@dataclass(frozen=True)
class Variant:
    """A report, and the settings by which its configuration differs from the others'."""

    settings: dict[str, str]
    report: Report


def combinations(settings: Iterable[str]) -> list[dict[str, str]]:
    """All combinations of ``field=value,value,...`` texts, the last field varying fastest; later texts win.

    Raises ``UserError`` for a text without an equals sign.
    """
    choices: dict[str, list[str]] = {}
    for setting in settings:
        name, separator, values = setting.partition("=")
        if not separator:
            raise UserError(f"setting {setting!r} must have the form field=value or field=value,value,...")
        choices[name.strip()] = list(dict.fromkeys(value.strip() for value in values.split(",")))
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def estimate_variants(
    settings: Sequence[dict[str, str]], describe: Callable[[list[str]], Machine], estimate: Callable[[Machine], Report]
) -> list[Variant]:
    """A report for each combination of settings, on the machine that ``describe`` makes of it.

    All machines are described before the first one is estimated. Raises ``UserError`` naming the combination that
    cannot be, where there are several.
    """

    def named(combination: dict[str, str], error: ValueError) -> ValueError:
        if len(settings) == 1:
            return error
        return UserError(f"{', '.join(f'{name}={value}' for name, value in combination.items())}: {error}")

    machines = []
    for combination in settings:
        try:
            machines.append(describe([f"{name}={value}" for name, value in combination.items()]))
        except (UserError, ConfigError) as error:
            raise named(combination, error) from None
    several = {name for name in settings[0] if len({combination[name] for combination in settings}) > 1}
    variants = []
    for combination, machine in zip(settings, machines, strict=True):
        varied = {name: value for name, value in combination.items() if name in several}
        try:
            variants.append(Variant(varied, estimate(machine)))
        except LayerError as error:
            raise named(combination, error) from None
    return variants
