"""What a model is refused with."""

from __future__ import annotations

import re

from wingrid.host.errors import UserError

LONGEST = 400
"""Characters that another library's message may have; the first ones say what is wrong."""

_ONNX_RUNTIMES_PREFIX = re.compile(r"^(\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : )+")
_FUNCTION = re.compile(r"^(\w+ )?onnxruntime::[\w:]+\(.*?\) (?=[A-Z])")
_SOURCE_FILE = re.compile(r"\S*/\S+\.(cc|h|cpp):\d+ ")


class NotAccelerable(Exception):
    """The accelerator cannot do a node; the message says why."""


class ModelRefused(UserError):
    """A model that cannot be imported; the message is one sentence."""


def one_sentence(error: object) -> str:
    """Another library's message on one line, without its error numbers and its functions and files."""
    text = _ONNX_RUNTIMES_PREFIX.sub("", " ".join(str(error).split()))
    text = _FUNCTION.sub("", _SOURCE_FILE.sub("", text))
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
