"""Other people's explorers beside ours in ``make bench``: they get the same network, and are named where they lack."""

from __future__ import annotations

import math
import sys
from types import ModuleType
from typing import Any

import pytest

from tests.bench import performance
from tests.bench.other_explorers import EXPLORERS, Explored, Explorer, chipleap_graph, zigzag_workload
from wingrid.host.networks.built_in import find
from wingrid.host.networks.network import Network


@pytest.mark.parametrize("name", ["vgg16", "alexnet"])
def test_they_get_the_multiplications_of_the_network(name: str) -> None:
    network = find(name)
    wanted = [layer.shape.macs for layer in network.layers()]
    products = [entry["matmul"] for entry in chipleap_graph(network)["ops"]]
    assert [one["m"] * one["k"] * one["n"] * one["count"] for one in products] == wanted
    loops = [dict(zip(entry["loop_dims"], entry["loop_sizes"], strict=True)) for entry in zigzag_workload(network)]
    assert [math.prod(sizes.values()) for sizes in loops] == wanted


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def explored(network: Network) -> Explored:
        print("a library talks")
        return Explored(30, 2.0)

    there = ModuleType("there")
    there.__spec__ = sys.__spec__
    monkeypatch.setitem(sys.modules, "there", there)

    def lacks(network: Network) -> Explored:
        raise ModuleNotFoundError("No module named 'theirs'")

    explorers = [
        Explorer("there", "designs", explored),
        Explorer("nowhere_to_be_found", "designs", explored),
        Explorer("there", "designs", lacks),
    ]
    monkeypatch.setattr(performance, "EXPLORERS", explorers)
    figures, missing = performance.other_searches()
    assert [(figure.value, figure.unit, figure.met) for figure in figures] == [(15.0, "designs/s", True)]
    assert missing == [
        "nowhere_to_be_found: not installed, see tests/bench/other_explorers.py",
        "there: cannot be imported: No module named 'theirs'",
    ]


def test_chipleap_is_asked_as_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its two functions, with what they take; what it answers is its own."""
    asked: list[Any] = []

    class Result:
        evaluated = 7

    modules = {
        name: ModuleType(name) for name in ("chipleap", "chipleap.explore", "chipleap.explore.engine", "chipleap.spec")
    }
    modules["chipleap.spec"].parse_spec = lambda data: asked.append(data) or "specification"
    modules["chipleap.explore.engine"].explore = lambda spec, samples: asked.append((spec, samples)) or Result()
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert EXPLORERS[0].explore(find("alexnet")).designs == 7
    assert set(asked[0]) == {"name", "workload"}
    assert asked[1][0] == "specification"
