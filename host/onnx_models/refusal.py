"""What a model is refused with."""

from __future__ import annotations

from wingrid.host.errors import UserError

LONGEST = 400
"""Characters that another library's message may have; the first ones say what is wrong."""


class ModelRefused(UserError):
    """A model that cannot be imported; the message is one sentence."""


def one_sentence(error: object) -> str:
    """Another library's message on one line, without its trace of source files."""
    text = " ".join(str(error).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
