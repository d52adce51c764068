"""Tests that use a Verilated simulator say so by the marker ``rtl``; those that do without it fail.

So what ``make quick`` runs, those that are neither ``rtl`` nor ``slow``, stays quick. A simulator that a test starts in
a process of its own is not seen here: such a test needs the marker too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import pytest

from wingrid.sim.rtl import build, verilator

P = ParamSpec("P")
T = TypeVar("T")

running: list[pytest.Item] = []
"""The test that is running, with its fixtures; empty between tests."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    running.append(item)
    try:
        return (yield)
    finally:
        running.pop()


def needs_marker(function: Callable[P, T]) -> Callable[P, T]:
    """The function, but it fails in a test without the marker."""

    @functools.wraps(function)
    def guarded(*arguments: P.args, **options: P.kwargs) -> T:
        if running and running[-1].get_closest_marker("rtl") is None:
            pytest.fail(f"{running[-1].nodeid} uses Verilator: it needs the marker rtl (see CONTRIBUTING.md)")
        return function(*arguments, **options)

    return guarded


# Every simulator comes from the one, whether it is built or found in the cache; every cocotb bench needs the other.
build.library = needs_marker(build.library)
verilator.environment = needs_marker(verilator.environment)
