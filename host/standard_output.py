"""Standard output: what goes there either arrives, or ends the command in a sentence."""

from __future__ import annotations

import contextlib
import os
import sys

from wingrid.host.errors import UserError


class ReaderGone(Exception):
    """Who read standard output has seen enough, as ``head`` does; there is nothing to complain about."""


def encoding() -> str:
    """How text becomes bytes there."""
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def print_text(text: str) -> None:
    """Print text; characters that the terminal's encoding lacks become escapes.

    Raises ``UserError`` if it cannot be written, ``ReaderGone`` if nobody reads.
    """
    _put(text.encode(encoding(), "backslashreplace").decode(encoding()))


def print_bytes(content: bytes) -> None:
    """Write bytes as they are, after all text so far. Raises what ``print_text`` does."""
    _put("")
    _put(content)


def require_standard_output() -> None:
    """Raise ``UserError`` if there is none."""
    if sys.stdout is None:
        raise UserError("cannot write to standard output: it is closed")


def abandon_what_cannot_be_written() -> None:
    """Let go of text that standard output does not take: Python tries again when it ends, and complains."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)


def _put(content: str | bytes) -> None:
    require_standard_output()
    try:
        if isinstance(content, bytes):
            sys.stdout.buffer.write(content)
        else:
            sys.stdout.write(content)
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None
    except OSError as error:
        raise UserError(f"cannot write to standard output: {error.strerror or error}") from None
