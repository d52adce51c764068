"""The one exception that means the user has to change something."""

from __future__ import annotations


class UserError(ValueError):
    """Bad input or usage; the message is one clear sentence, shown as it is, without a traceback."""
