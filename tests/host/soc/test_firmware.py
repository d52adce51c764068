"""The firmware compiles for the processor without a warning, and what is missing or wrong is told."""

from __future__ import annotations

import re

import pytest
from image_cases import digits_case
from outside_judges import outside_judge

from wingrid.host.drivers.sources import driver_files
from wingrid.host.soc.firmware import COMPILER, PACKAGE, compiled, firmware_files
from wingrid.host.soc.job import job_for
from wingrid.host.soc.layout import FIRMWARE_BYTES, OWN_BYTES, REGISTERS_BASE
from wingrid.sim.tools import BuildError, ToolMissing

ADDRESSES = {
    "ROM": 0, "ROM_BYTES": FIRMWARE_BYTES, "SRAM": 0x1000_0000, "SRAM_BYTES": OWN_BYTES, "MAIN_RAM": 0x4000_0000,
    "MAIN_RAM_BYTES": 0x8_0000, "WINGRID_REGISTERS": REGISTERS_BASE, "WINGRID_REGISTERS_BYTES": 0x1000,
    "UART_RXTX": 0xF000_0800, "UART_TXFULL": 0xF000_0804, "WINGRID_EV_ENABLE": 0xF000_1008, "WINGRID_INTERRUPT": 1,
}  # fmt: skip


def files() -> dict[str, bytes]:
    case = digits_case()
    return firmware_files(ADDRESSES, job_for(case.image(), {"x": case.inputs["x"][None]}).header)


def test_the_drivers_sources_are_taken_as_they_are() -> None:
    made, driver = files(), driver_files()
    assert {name: made[name] for name in driver} == driver


def test_nothing_but_the_driver_touches_the_accelerator() -> None:
    own = {name: content.decode() for name, content in files().items() if not name.startswith("wingrid")}
    using = [name for name, text in own.items() if "SOC_WINGRID_REGISTERS" in text]
    assert sorted(using) == ["main.c", "soc.h"]
    assert own["main.c"].count("SOC_WINGRID_REGISTERS") == 1, "where the driver is told of them"
    assert not any("WINGRID_REG_" in text for text in own.values())


@pytest.mark.slow
def test_the_firmware_compiles_without_a_warning_and_fits_its_memory() -> None:
    outside_judge(PACKAGE, COMPILER)
    made = compiled(files())
    assert 1000 < len(made["firmware.bin"]) < FIRMWARE_BYTES
    assert made["firmware.elf"].startswith(b"\x7fELF")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("uint32_t sample, i;", "uint32_t sample, i, nobody;", "unused variable .nobody."),
        ("struct wingrid device;", "struct wingrid device = {.loaded = 1};", "nobody copies initial values"),
        ("struct wingrid device;", "struct wingrid device; char heap[9000];", "will not fit|overflowed"),
    ],
)  # fmt: skip
def test_mistakes_end_the_build(old: str, new: str, message: str) -> None:
    outside_judge(PACKAGE, COMPILER)
    wrong = files()
    assert wrong["main.c"].decode().count(old) == 1
    wrong["main.c"] = wrong["main.c"].decode().replace(old, new).encode()
    with pytest.raises(BuildError, match=re.compile(f"the firmware's compiler failed(.|\n)*({message})")):
        compiled(wrong)


def test_a_missing_compiler_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissing, match=f"^{COMPILER} is missing; Debian has it in the package {PACKAGE}$"):
        compiled(files())
