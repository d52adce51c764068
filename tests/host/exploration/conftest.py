"""Two small networks, built in for as long as a file of tests of searches runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from explorations import DEEP, WIDE

from wingrid.host.networks.built_in import BUILT_IN


@pytest.fixture(autouse=True, scope="module")
def networks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for network in (DEEP, WIDE):
            patch.setitem(BUILT_IN, network.name, network)
        yield
