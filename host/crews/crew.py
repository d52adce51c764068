"""Who does the jobs of a search: this process, or workers of a Dask cluster, here or elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Protocol, TypeVar

Work = TypeVar("Work")
Done = TypeVar("Done")


class Crew(Protocol[Work, Done]):
    """Takes jobs, and gives each back with what came of it, in the order in which they end. A context manager."""

    @property
    def capacity(self) -> int:
        """How many jobs keep everybody busy."""
        ...

    def submit(self, job: Work) -> None:
        """Have a job done."""
        ...

    def next(self) -> tuple[Work, Done]:
        """Wait for a job that was submitted."""
        ...

    def __enter__(self) -> Crew[Work, Done]: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Alone(Generic[Work, Done]):
    """This process, one job after the other."""

    capacity = 1

    def __init__(self, does: Callable[[Work], Done]) -> None:
        self._does = does
        self._waiting: deque[Work] = deque()

    def submit(self, job: Work) -> None:
        self._waiting.append(job)

    def next(self) -> tuple[Work, Done]:
        job = self._waiting.popleft()
        return job, self._does(job)

    def __enter__(self) -> Alone[Work, Done]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._waiting.clear()
