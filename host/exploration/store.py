"""Exact times that were found, kept in a file: a broken search goes on, and a repeated one is free."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType

from wingrid.host.crews.program import program
from wingrid.host.errors import UserError
from wingrid.host.exploration.exact import Exact, Job
from wingrid.sim.cache import cache_directory, key

MEMORY = Path(":memory:")


def usual_place() -> Path:
    """The store of all this user's searches."""
    return cache_directory() / "explore.sqlite"


class Store:
    """A file of exact times by ``key_of``; each is there as soon as it is put. A context manager."""

    def __init__(self, file: Path) -> None:
        """Raises ``UserError`` for a file that is no store."""
        try:
            if file != MEMORY:
                file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(file, timeout=60, isolation_level=None)
            # Readers and a writer at the same time; a file system without locks for that keeps its usual way.
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute("CREATE TABLE IF NOT EXISTS exact (key TEXT PRIMARY KEY, found TEXT NOT NULL)")
        except (OSError, sqlite3.Error) as error:
            raise UserError(f"cannot keep exact times in {file}: {error}") from None

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def get(self, name: str) -> Exact | None:
        """What is kept under a key."""
        row = self._connection.execute("SELECT found FROM exact WHERE key = ?", (name,)).fetchone()
        return Exact.of_text(row[0]) if row else None

    def put(self, name: str, found: Exact) -> None:
        """Keep it."""
        self._connection.execute("INSERT OR REPLACE INTO exact VALUES (?, ?)", (name, found.as_text()))

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT COUNT(*) FROM exact").fetchone()[0])


def key_of(job: Job, network: str) -> str:
    """Of a job; ``network`` is its workload's fingerprint. It changes with the program that finds the times."""
    return key(program(), network, repr(job.config), repr(job.timing))
