"""LiteX makes a SoC around any accelerator that its bus can take, and says where everything is."""

from __future__ import annotations

import dataclasses
import importlib.util
import re

import pytest
from layer_cases import SQUARE
from packaged import CONFIG, package

from wingrid.host.errors import UserError
from wingrid.host.soc.build_inputs import PACKAGED
from wingrid.host.soc.hardware import require_soc, soc_hardware
from wingrid.host.soc.layout import BUSES, FIRMWARE_BYTES, OWN_BYTES, REGISTERS_BASE
from wingrid.sim.memory import memory_names
from wingrid.sim.tools import ToolMissing

RAM_BYTES = 1 << 16
NARROW = dataclasses.replace(CONFIG, bus_bytes=4)


def test_each_memory_of_a_soc_has_a_timing() -> None:
    assert set(BUSES) <= set(memory_names())


@pytest.mark.slow
@pytest.mark.parametrize("memory", BUSES)
def test_a_soc_is_made_on_each_bus(memory: str) -> None:
    files = package(NARROW)
    made = soc_hardware({name: files[name] for name in PACKAGED}, NARROW, memory, RAM_BYTES)
    found = made.addresses
    assert (found["ROM"], found["ROM_BYTES"], found["SRAM_BYTES"]) == (0, FIRMWARE_BYTES, OWN_BYTES)
    assert (found["MAIN_RAM_BYTES"], found["WINGRID_REGISTERS"]) == (RAM_BYTES, REGISTERS_BASE)
    assert re.findall(r"^module (soc|wingrid|VexRiscv)\b", made.text, flags=re.M) == ["soc", "wingrid", "VexRiscv"]
    words = RAM_BYTES // 4
    assert f"main_ram[0:{words - 1}] /* verilator public_flat_rw */;" in made.text
    assert "$readmemh" not in made.text
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b|/tmp|/home|Date", made.text.split("endmodule")[0])
    again = soc_hardware({name: files[name] for name in PACKAGED}, NARROW, memory, RAM_BYTES)
    assert again == made, "equal inputs give equal texts, so simulators are found again"


def test_what_no_soc_can_take_is_refused() -> None:
    with pytest.raises(UserError, match=r"^no SoC has the memory ideal; there are litex-axi, litex-wishbone$"):
        require_soc(SQUARE, "ideal")
    for name, value, wanted in (("address_bits", 40, 32), ("bus_bytes", 16, 4)):
        config = dataclasses.replace(SQUARE, **{"bus_bytes": 4, name: value})
        message = rf"^configuration field {name} = {value} must be {wanted}, as the SoC's bus has$"
        with pytest.raises(UserError, match=message):
            require_soc(config, "litex-axi")


def test_without_litex_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message = r"^the Python package litex is missing; install what a SoC needs with: pip install 'wingrid\[soc\]'$"
    with pytest.raises(ToolMissing, match=message):
        soc_hardware({}, SQUARE, "litex-axi", RAM_BYTES)
