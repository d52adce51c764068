"""How a parcel comes to the workers of a scheduler, also to those that come later: as a plugin that unpacks it."""

from __future__ import annotations

from typing import Any

from distributed.diagnostics.plugin import WorkerPlugin

from wingrid.host.crews.parcel import Parcel


class Delivery(WorkerPlugin):
    """Unpacks a parcel on each worker; its class imports Dask, so that only clusters import it."""

    def __init__(self, parcel: Parcel) -> None:
        self._parcel = parcel

    def setup(self, worker: Any) -> None:  # noqa: ANN401 (Dask's)
        self._parcel.unpack()
