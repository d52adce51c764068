"""Workers of a cluster find the same front, also when one of them is lost in the middle."""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from explorations import DEEP, SMALL, fails, question, slowly

from wingrid.host.crews.cluster import Cluster, require_scheduler
from wingrid.host.crews.crew import Alone
from wingrid.host.errors import UserError
from wingrid.host.execution.network_run import run_network
from wingrid.host.execution.setup import Setup
from wingrid.host.exploration.exact import Job, all_timed, timed
from wingrid.host.exploration.search import explored
from wingrid.host.exploration.store import MEMORY, Store
from wingrid.host.fitting.workload import Workload
from wingrid.host.onnx_models.model_run import model_path
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming

SPACE = {**SMALL, "rows": [6], "cols": [6], "winograd": [4], "latency": [40]}


@pytest.fixture(scope="module")
def scheduler() -> Iterator[tuple[str, list[int]]]:
    """The address of a scheduler, and the processes of its two workers."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster:
        yield cluster.scheduler_address, [worker.pid for worker in cluster.workers.values()]


def test_a_scheduler_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wingrid.host.crews.cluster.CONNECT_SECONDS", 1)
    with pytest.raises(UserError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9"):
        Cluster("tcp://127.0.0.1:9", all_timed)
    with pytest.raises(UserError, match="must be here, local or an address such as tcp://host:8786"):
        require_scheduler("somewhere")


def test_a_job_that_fails_fails_the_search(scheduler: tuple[str, list[int]]) -> None:
    with Cluster(scheduler[0], fails) as crew:
        crew.submit("job")
        with pytest.raises(ZeroDivisionError):
            crew.next()


def test_layers_run_on_workers_as_they_do_here(scheduler: tuple[str, list[int]]) -> None:
    config = AcceleratorConfig(rows=4, cols=4)
    here = Setup("golden", config, MemoryTiming.for_bus(config.bus_bytes))
    x = np.random.default_rng(1).integers(-128, 128, (1, 3, 16, 16), np.int8)
    one = run_network(DEEP, x, here)
    other = run_network(DEEP, x, dataclasses.replace(here, scheduler=scheduler[0]))
    assert [result.layer for result in other.layers] == [result.layer for result in one.layers]
    for expected, found in zip(one.layers, other.layers, strict=True):
        assert np.array_equal(found.values, expected.values)


def test_files_are_written_only_here(tmp_path: Path) -> None:
    config = AcceleratorConfig(rows=4, cols=4)
    with pytest.raises(UserError, match="--scheduler does not go with --waves and --trace"):
        Setup("rtl", config, MemoryTiming(40, 4), waves=tmp_path / "waves.fst", scheduler="local")


def test_workers_need_no_file_of_the_user(scheduler: tuple[str, list[int]], tmp_path: Path) -> None:
    """What they time is what came to them: the file is gone before anybody asks for it."""
    model = tmp_path / "mine.onnx"
    shutil.copy(model_path("digits"), model)
    config = AcceleratorConfig(rows=4, cols=4)
    workload, timing = Workload(str(model)), MemoryTiming.for_bus(config.bus_bytes)
    expected = timed(Job(Workload("digits"), config, timing))
    parcel = workload.parcel()
    model.unlink()
    task = functools.partial(all_timed, models={workload.network: parcel.name})
    job = Job(workload, config, timing)
    with Cluster(scheduler[0], task, [parcel]) as crew:
        crew.submit([job, job])
        assert crew.next()[1] == [expected] * 2
    with Cluster(scheduler[0], all_timed) as crew:
        crew.submit([job])
        with pytest.raises(UserError, match=r"mine\.onnx"):
            crew.next()


def test_a_lost_worker_changes_nothing(scheduler: tuple[str, list[int]]) -> None:
    address, workers = scheduler
    with Store(MEMORY) as store, Alone(all_timed) as crew:
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
