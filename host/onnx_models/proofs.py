"""What was found out by asking ONNX Runtime for every value, kept in the cache: asking takes longer than looking."""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache
from pathlib import Path

import onnxruntime

from wingrid.sim.cache import cached, key


def proof(kind: str, code: str, question: tuple[str | bytes, ...], ask: Callable[[Path], None]) -> Path:
    """The file with the answer to a question, which ``ask`` writes if nobody has asked it before.

    It holds for this version of ONNX Runtime on this processor, whose instructions its kernels choose by, and for the
    ``code`` that asks, a file's name.
    """

    def build(folder: Path) -> Path:
        answer = folder / "answer"
        ask(answer)
        return answer

    parts = (onnxruntime.__version__, _processor(), Path(code).read_bytes(), *question)
    return cached(f"{kind}/{key(*parts)}", build)


@cache
def _processor() -> str:
    """The processor's name and the instructions that it has, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        lines = []
    told = [line for line in lines if line.split(":")[0].strip() in ("model name", "flags", "Features", "CPU part")]
    return "\n".join([platform.machine(), platform.processor(), *told])
