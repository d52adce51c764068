"""Estimates of many configurations: all combinations of settings, and their rows in tables."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from wingrid.host.errors import UserError
from wingrid.host.estimates.power import power
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.layer import LayerError
from wingrid.host.reports.report import Report, flat
from wingrid.hw.config import ConfigError

MOST_COMBINATIONS = 100_000


def variants_as_list(variants: Sequence[Variant], rate: float | None = None) -> list[dict[str, Any]]:
    """A report for each configuration, with the settings that tell it from the others, and its power at a rate."""
    return [
        {
            **variant.report.as_dict(),
            "settings": variant.settings,
            **({} if rate is None else {"power": power(variant.report, rate)}),
        }
        for variant in variants
    ]


def layer_rows(variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """A row for each layer of each configuration, the varied settings first."""
    return [
        flat({"settings": variant.settings, **layer})
        for variant in variants
        for layer in variant.report.as_dict()["layers"]
    ]


def total_rows(variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """A row for each configuration: the varied settings, then the network's totals."""
    return [{**variant.settings, **flat(variant.report.as_dict()["total"])} for variant in variants]


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
    count = math.prod(map(len, choices.values()))
    if count > MOST_COMBINATIONS:
        raise UserError(f"the settings make {count} combinations, more than {MOST_COMBINATIONS}")
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def estimate_variants(
    settings: Sequence[dict[str, str]],
    describe: Callable[[list[str]], Setup],
    estimate: Callable[[Setup], NetworkResult],
) -> list[Variant]:
    """A report for each combination of settings, on the setup that ``describe`` makes of it.

    All machines are described before the first one is estimated. Raises ``UserError`` naming the combination that
    cannot be, where there are several.
    """

    def named(combination: dict[str, str], error: ValueError) -> ValueError:
        if len(settings) == 1:
            return error
        return UserError(f"{', '.join(f'{name}={value}' for name, value in combination.items())}: {error}")

    setups = []
    for combination in settings:
        try:
            setups.append(describe([f"{name}={value}" for name, value in combination.items()]))
        except (UserError, ConfigError) as error:
            raise named(combination, error) from None
    several = {name for name in settings[0] if len({combination[name] for combination in settings}) > 1}
    variants = []
    for combination, setup in zip(settings, setups, strict=True):
        varied = {name: value for name, value in combination.items() if name in several}
        try:
            variants.append(Variant(varied, Report(estimate(setup))))
        except LayerError as error:
            raise named(combination, error) from None
    return variants
