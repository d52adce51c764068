"""What the firmware prints is read, and what it complains of ends the run."""

from __future__ import annotations

import pytest
from image_cases import digits_case

from wingrid.host.execution.driver import MachineFault
from wingrid.host.soc.transcript import read_transcript
from wingrid.hw.registers import Counter


def test_samples_counters_outputs_and_classes_are_read() -> None:
    image = digits_case().image()
    lines = ["sample 0", "counter 0 0 123", "counter 0 1 45", "output 8 00ff7f", "class 2", "sample 1", "output 8 01"]
    first, second = read_transcript(image, lines)
    (entry,) = image.contents.entries
    assert first.counters == {entry.name: {Counter.CYCLES: 123, Counter.BUSY: 45}}
    assert first.outputs == {image.contents.tensors[8].name: b"\x00\xff\x7f"}
    assert (first.found, first.cycles) == (2, 123)
    assert (second.outputs, second.found) == ({image.contents.tensors[8].name: b"\x01"}, None)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("error: the image is damaged", "^the firmware says: the image is damaged$"),
        ("hello", "^the firmware says what nobody expects: hello$"),
        ("counter 0 0", "^the firmware says what nobody expects: counter 0 0$"),
        ("output 8 xy", "^the firmware says what nobody expects: output 8 xy$"),
        ("output 800 00", "^the firmware says what nobody expects: output 800 00$"),
    ],
)
def test_complaints_and_noise_are_faults(line: str, message: str) -> None:
    with pytest.raises(MachineFault, match=message):
        read_transcript(digits_case().image(), ["sample 0", line])
