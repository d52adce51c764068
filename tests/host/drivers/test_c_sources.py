"""The C driver compiles without a warning, for whom it is meant, and needs nothing that it does not say."""

from __future__ import annotations

import re
import subprocess

import pytest
from c_driver import FREESTANDING, compile_c, library, sources
from outside_judges import outside_judge

from wingrid.host.drivers.headers import image_header, register_header
from wingrid.host.drivers.sources import CORE, FLOATING, LINUX, driver_files
from wingrid.hw.isa import Fault
from wingrid.hw.registers import FIELDS, Control, Counter, Register, Status, counter_address

pytestmark = pytest.mark.slow

COMPILERS = {
    "gcc": (("gcc", "gcc"), ()),
    "clang": (("clang", "clang"), ()),
    "riscv32": (("gcc-riscv64-unknown-elf", "riscv64-unknown-elf-gcc"), ("-march=rv32im", "-mabi=ilp32")),
    "riscv64": (
        ("gcc-riscv64-unknown-elf", "riscv64-unknown-elf-gcc"),
        ("-march=rv64imac", "-mabi=lp64", "-mcmodel=medany"),
    ),
}
LEVELS = ("-O0", "-O2", "-O3")


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("source", [*CORE, *FLOATING])
def test_every_source_compiles_freestanding(compiler: str, source: str) -> None:
    program, flags = COMPILERS[compiler]
    for level in LEVELS:
        compile_c(outside_judge(*program), *flags, level, *FREESTANDING, "-c", source, "-o", f"{compiler}.o")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("source", LINUX)
def test_the_part_for_linux_compiles(compiler: str, source: str) -> None:
    compile_c(outside_judge(*COMPILERS[compiler][0]), "-O2", "-c", source, "-o", f"{compiler}.o")


@pytest.mark.parametrize("level", LEVELS)
def test_bare_metal_links_without_any_library(level: str) -> None:
    program, flags = COMPILERS["riscv32"]
    (sources() / "main.c").write_text(
        '#include "wingrid_bare.h"\n'
        "int start(volatile void *memory);\n"
        "int start(volatile void *memory)\n"
        "{\n"
        "    struct wingrid_bare bare = {(volatile uint32_t *)0x90000000u, 10, 0, 0, 0, 0};\n"
        "    struct wingrid device;\n"
        "    int wrong = wingrid_open(&device, &wingrid_bare_access, &bare, memory, 65536, 0);\n"
        "    if (!wrong) wrong = wingrid_attach(&device);\n"
        "    if (!wrong) wrong = wingrid_run(&device, 0, 1000);\n"
        "    return wrong;\n"
        "}\n"
    )
    arguments = [*flags, level, *FREESTANDING, "main.c", "wingrid.c", "wingrid_bare.c"]
    compile_c(outside_judge(*program), *arguments, "-Wl,-e,start,--no-undefined", "-o", "bare.elf")


def test_a_compiler_notices_a_mistake() -> None:
    (sources() / "mistake.c").write_text(
        '#include "wingrid.h"\nint f(void);\nint f(void) { int x; return WINGRID_OK; }\n'
    )
    with pytest.raises(AssertionError, match="unused variable"):
        compile_c(outside_judge("gcc", "gcc"), "-c", "mistake.c", "-o", "mistake.o")


def values_of(header: str) -> dict[str, int]:
    """The values of a header's macros, by the compiler."""
    (sources() / "asked.h").write_text(header)
    names = re.findall(r"^#define (WINGRID_\w+) \S", header, flags=re.M)
    printed = "".join(f'    printf("{name} %lld\\n", (long long)({name}));\n' for name in names)
    (sources() / "asked.c").write_text(
        f'#include <stdio.h>\n#include "asked.h"\nint main(void)\n{{\n{printed}    return 0;\n}}\n'
    )
    compile_c(outside_judge("gcc", "gcc"), "asked.c", "-o", "asked")
    out = subprocess.run([sources() / "asked"], capture_output=True, text=True, check=True).stdout
    return {name: int(value) for name, value in (line.split() for line in out.splitlines())}


def test_the_header_of_registers_says_what_the_hardware_says() -> None:
    values = values_of(register_header())
    for register in Register:
        assert values[f"WINGRID_REG_{register.name}"] == register
        for item in FIELDS[register]:
            name = f"WINGRID_{register.name}_{item.name.upper()}"
            assert values[f"{name}_MASK"] == ((1 << item.width) - 1) << item.low
            assert values[f"{name}_LOW"] == item.low
    for prefix, kind in (("CONTROL", Control), ("STATUS", Status), ("FAULT", Fault)):
        for member in kind:
            assert values[f"WINGRID_{prefix}_{member.name}"] == member
    for counter in Counter:
        address = values["WINGRID_COUNTER_BASE"] + 8 * values[f"WINGRID_COUNTER_{counter.name}"]
        assert address == counter_address(counter)
    assert values["WINGRID_COUNTERS"] == len(Counter)


def test_the_header_of_images_compiles_by_itself() -> None:
    values_of(image_header())


def test_every_error_has_a_text_of_its_own() -> None:
    text = (sources() / "wingrid.h").read_text().split("enum wingrid_error {")[1].split("}")[0]
    names = re.findall(r"^    (WINGRID_\w+)", text, flags=re.M)
    assert names[-1] == "WINGRID_FAULT"
    numbers = [*range(len(names) - 1), *(32 + fault for fault in Fault if fault)]
    texts = [library().wingrid_text(number).decode() for number in numbers]
    assert len(set(texts)) == len(texts)
    assert "an unknown error" not in texts
    assert library().wingrid_text(len(names) - 1) == b"an unknown error"


def test_no_source_includes_more_than_it_may() -> None:
    for name, content in driver_files().items():
        found = set(re.findall(r"#include <(.*?)>", content.decode()))
        allowed = {"stdint.h", "stddef.h"}
        assert name.startswith("wingrid_uio") or found <= allowed, name
