"""Answers are kept for the question, the code that asks, this ONNX Runtime and this processor."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest

from wingrid.host.onnx_models import proofs
from wingrid.host.onnx_models.proofs import proof


def test_a_question_is_asked_once_and_again_where_its_answer_may_be_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WINGRID_CACHE", str(tmp_path / "cache"))
    code = tmp_path / "code.py"
    code.write_text("first")
    asked = []

    def told(*question: str) -> str:
        def ask(answer: Path) -> None:
            asked.append(question)
            answer.write_text(f"{len(asked)}")

        return proof("tests", str(code), question, ask).read_text()

    assert [told("a"), told("a"), told("b"), told("a", ""), told("a")] == ["1", "1", "2", "3", "1"]
    code.write_text("second")
    assert told("a") == "4"
    monkeypatch.setattr(onnxruntime, "__version__", "0.1")
    assert told("a") == "5"
    monkeypatch.setattr(proofs, "_processor", lambda: "another one")
    assert told("a") == "6"


def test_the_processor_is_told_by_its_instructions_on_linux() -> None:
    if Path("/proc/cpuinfo").exists():
        assert "flags" in proofs._processor() or "Features" in proofs._processor()
