"""Ctrl-C, and being asked to end by the system: everything is put away, one sentence is said, nothing is left.

Exit status is 128 and the signal's number, as shells have it: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

SENTENCES = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}


class Interrupted(BaseException):
    """Somebody wants the command to end. No ``KeyboardInterrupt``, which libraries make something else of."""

    def __init__(self, number: int, more: str = "") -> None:
        super().__init__(f"{SENTENCES[signal.Signals(number)]}{more}")
        self.status = 128 + number

    def saying(self, what: str) -> Interrupted:
        """The same, and what is left when the command ends."""
        return Interrupted(self.status - 128, f"; {what}")


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Ends the process with a sentence if one of the signals comes; what else comes while it is put away is ignored.

    Signals that whoever started the command had it ignore, as ``nohup`` does, stay ignored.
    """
    heard = [number for number in SENTENCES if signal.getsignal(number) != signal.SIG_IGN]

    def end(number: int, frame: FrameType | None) -> NoReturn:
        for other in heard:
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted(number)

    before = {number: signal.signal(number, end) for number in heard}
    try:
        yield
    except Interrupted as interruption:
        _end_children()
        complain(interruption, interruption.status)
        sys.exit(interruption.status)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def complain(message: object, status: int) -> int:
    """Say it on standard error, if anything can be said there; returns the exit status."""
    with contextlib.suppress(OSError):
        print(f"wingrid: {message}", file=sys.stderr)
    return status


def _end_children() -> None:
    """End programs that a library has started and does not end, as Amaranth does with Yosys."""
    for children in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for number in children.read_text().split():
                os.kill(int(number), signal.SIGKILL)
