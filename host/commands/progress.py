"""A progress bar on standard error, on a terminal only."""

from __future__ import annotations

import threading
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Bar:
    """Listens to a runner; a context manager that clears the bar when it ends."""

    def __init__(self, what: str, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task(what, total=None)
        self._what = what
        self._lock = threading.Lock()
        self._expected = 0.0
        self._cycles: dict[str, int] = {}

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def says(self, text: str) -> None:
        """Show what is being done, of work whose length nobody knows."""
        self._progress.update(self._task, description=text)

    def building(self, text: str) -> None:
        """Show what the simulator's build is at."""
        self.says(f"building the simulator: {text}")

    def expect(self, cycles: float) -> None:
        """About ``cycles`` more cycles of simulation are to come."""
        with self._lock:
            self._expected += cycles
            self._show(self._what)

    def simulated(self, layer: str, cycles: int) -> None:
        """The layer's simulation has come this far."""
        with self._lock:
            self._cycles[layer] = cycles
            self._show(layer)

    def done(self, layer: str) -> None:
        """The layer is finished."""
        with self._lock:
            self._show(f"{layer} done")

    def _show(self, text: str) -> None:
        done = min(sum(self._cycles.values()), self._expected)
        self._progress.update(self._task, description=text, completed=done, total=self._expected or None)
