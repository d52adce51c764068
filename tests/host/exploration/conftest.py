"""Two small networks, built in for as long as tests of searches run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wingrid.host.networks.built_in import BUILT_IN
from wingrid.host.networks.network import Connect, Convolve, MaxPool, Network

DEEP = Network(
    "deep",
    "a test",
    3,
    16,
    16,
    (Convolve("one", 16, 3, padding=1), Convolve("two", 24, 3, padding=1), MaxPool("half"), Connect("last", 20)),
)
WIDE = Network(
    "wide", "a test", 8, 24, 24, (Convolve("one", 8, 5), Convolve("two", 40, 1, stride=2), Connect("last", 5))
)


@pytest.fixture(autouse=True, scope="package")
def networks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for network in (DEEP, WIDE):
            patch.setitem(BUILT_IN, network.name, network)
        yield
