"""A crew of Dask workers: on this machine's cores, or wherever a scheduler has some."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Generic, TypeVar

from wingrid.host.crews.crew import Alone, Crew
from wingrid.host.crews.parcel import Parcel
from wingrid.host.errors import UserError

Work = TypeVar("Work")
Done = TypeVar("Done")

HERE, LOCAL = "here", "local"
"""Schedulers that need no address: none, in this process, and one for this machine's cores."""

ATTEMPTS = 3
"""Times that a job is given to another worker because the one that had it was lost."""

CONNECT_SECONDS = 10

COUNT_SECONDS = 1
"""How old the count of workers may be."""


def is_installed() -> bool:
    """Whether Dask's distributed scheduler is there."""
    import importlib.util

    return importlib.util.find_spec("distributed") is not None


def require_scheduler(scheduler: str) -> None:
    """Raise ``UserError`` for what is no scheduler, or for one that needs what is not installed."""
    if scheduler == HERE:
        return
    if scheduler != LOCAL and "://" not in scheduler:
        raise UserError(f"--scheduler {scheduler!r} must be {HERE}, {LOCAL} or an address such as tcp://host:8786")
    if not is_installed():
        raise UserError("--scheduler needs Dask; install it with: pip install 'wingrid[distributed]'")


class Cluster(Generic[Work, Done]):
    """Jobs on all workers of a scheduler, one a thread, however many come and go."""

    def __init__(self, scheduler: str, does: Callable[[Work], Done], parcels: Sequence[Parcel] = ()) -> None:
        """``LOCAL``, which starts with its first job, or the address of a scheduler; every worker gets the parcels.

        Raises ``UserError`` for one that does not answer.
        """
        self._scheduler, self._does, self._parcels = scheduler, does, parcels
        self._counted = -math.inf
        self._jobs: dict[str, tuple[Work, int]] = {}
        self._stack = contextlib.ExitStack()
        if scheduler != LOCAL:
            self._start()

    def _start(self) -> None:
        # Imported here: it takes a second.
        from distributed import as_completed

        with contextlib.ExitStack() as stack:
            self._client = stack.enter_context(_connected(self._scheduler))
            self._done: Any = as_completed(loop=self._client.loop, raise_errors=False)
            self._require_same_program()
            for parcel in self._parcels:
                stack.enter_context(_delivered(self._client, parcel))
            self._stack = stack.pop_all()

    @property
    def capacity(self) -> int:
        # The scheduler is asked now and then: a question costs as much as a job.
        if time.monotonic() - self._counted > COUNT_SECONDS:
            self._workers = max(1, sum(self._client.nthreads().values()))
            self._counted = time.monotonic()
        return self._workers

    def submit(self, job: Work) -> None:
        if not hasattr(self, "_client"):
            self._start()
        self._submit(job, ATTEMPTS)

    def _submit(self, job: Work, attempts: int) -> None:
        with warnings.catch_warnings():
            # A layer with its operands is large, and is sent once.
            warnings.filterwarnings("ignore", message="Sending large graph")
            future = self._client.submit(self._does, job, pure=False)
        # The job itself is kept: what comes back is its result alone.
        self._jobs[future.key] = job, attempts
        self._done.add(future)

    def next(self) -> tuple[Work, Done]:
        """Raises what the job does; a job whose workers were lost again and again is a ``UserError``."""
        from distributed import KilledWorker

        while True:
            future = next(self._done)
            job, attempts = self._jobs.pop(future.key)
            try:
                return job, future.result()
            except (KilledWorker, OSError) as error:
                if not attempts:
                    raise UserError(f"workers are lost again and again: {error}") from None
                self._submit(job, attempts - 1)

    def __enter__(self) -> Cluster[Work, Done]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Nobody waits for what is under way, and a cluster that is gone has nothing to cancel.
        with contextlib.suppress(Exception):
            self._client.cancel(list(self._jobs), force=True)
        self._stack.close()

    def _require_same_program(self) -> None:
        """Raise ``UserError`` unless all workers have this very Wingrid: times would not be exact."""
        from wingrid.host.crews.program import program

        for address, found in self._client.run(program, on_error="return").items():
            if found != program():
                raise UserError(f"the worker at {address} has another Wingrid, or none: install this one there")


@contextlib.contextmanager
def _connected(scheduler: str) -> Iterator[Any]:
    import dask
    from distributed import Client, LocalCluster

    quiet = {"distributed.logging.distributed": "error", "distributed.worker.daemon": True}
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(quiet))
        logging.getLogger("distributed").setLevel(logging.ERROR)
        if scheduler == LOCAL:
            cores = len(os.sched_getaffinity(0))
            cluster = LocalCluster(
                n_workers=cores, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
            )
            scheduler = stack.enter_context(cluster).scheduler_address
        try:
            client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UserError(f"no scheduler answers at {scheduler}: {error}") from None
        yield stack.enter_context(client)


@contextlib.contextmanager
def _delivered(client: Any, parcel: Parcel) -> Iterator[None]:  # noqa: ANN401 (Dask's)
    """While somebody works with it: another search may have sent the same, and takes back its own alone."""
    # Imported here: it imports Dask.
    from wingrid.host.crews.delivery import Delivery

    name = f"wingrid-{parcel.name}-{uuid.uuid4().hex}"
    client.register_plugin(Delivery(parcel), name=name)
    try:
        yield
    finally:
        with contextlib.suppress(Exception):
            client.unregister_worker_plugin(name)


def crew_of(scheduler: str, does: Callable[[Work], Done], parcels: Sequence[Parcel] = ()) -> Crew[Work, Done]:
    """The workers of a scheduler, each with these parcels; this process has what is in them. Raises ``UserError``."""
    require_scheduler(scheduler)
    return Alone(does) if scheduler == HERE else Cluster(scheduler, does, parcels)


def usual_scheduler() -> str:
    """This machine's cores, if there are several and Dask is installed; else this process."""
    return LOCAL if is_installed() and len(os.sched_getaffinity(0)) > 1 else HERE
