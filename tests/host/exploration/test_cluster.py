"""Workers of a cluster find the same front, also when one of them is lost in the middle."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from explorations import SMALL, fails, question, slowly

from wingrid.host.errors import UserError
from wingrid.host.exploration.cluster import Cluster, require_scheduler
from wingrid.host.exploration.crew import Alone
from wingrid.host.exploration.exact import timed
from wingrid.host.exploration.search import explored
from wingrid.host.exploration.store import MEMORY, Store

SPACE = {**SMALL, "rows": [6], "cols": [6], "latency": [40]}


@pytest.fixture(scope="module")
def scheduler() -> Iterator[tuple[str, list[int]]]:
    """The address of a scheduler, and the processes of its two workers."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
        yield cluster.scheduler_address, [worker.pid for worker in cluster.workers.values()]


def test_a_lost_worker_changes_nothing(scheduler: tuple[str, list[int]]) -> None:
    address, workers = scheduler
    with Store(MEMORY) as store, Alone(timed) as crew:
        alone = explored(question("digits", space=SPACE), crew, store)
    killed: list[str] = []

    def kills(text: str) -> None:
        if text.startswith("2 designs timed") and not killed:
            os.kill(workers[0], signal.SIGKILL)
            killed.append(text)

    with Store(MEMORY) as store, Cluster(address, slowly) as crew:
        assert crew.capacity == 2
        found = explored(question("digits", space=SPACE), crew, store, kills)
    assert killed
    assert [(point.place, point.exact) for point in found.front] == [
        (point.place, point.exact) for point in alone.front
    ]


def test_a_scheduler_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wingrid.host.exploration.cluster.CONNECT_SECONDS", 1)
    with pytest.raises(UserError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9"):
        Cluster("tcp://127.0.0.1:9", timed)
    with pytest.raises(UserError, match="must be here, local or an address such as tcp://host:8786"):
        require_scheduler("somewhere")


def test_a_job_that_fails_fails_the_search(scheduler: tuple[str, list[int]]) -> None:
    with Cluster(scheduler[0], fails) as crew:
        crew.submit("job")
        with pytest.raises(ZeroDivisionError):
            crew.next()
