"""The register map cycle by cycle, through AXI4-Lite accesses whose channels come in any order."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

import pytest
from amaranth.sim import SimulatorContext
from simulation import simulate

from wingrid.hw.bus.axi import RESPONSE_OKAY, RESPONSE_SLVERR
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.register_file import RegisterFile
from wingrid.hw.isa import Fault
from wingrid.hw.registers import FIELDS, Access, Control, Counter, Register, Status, counter_address, readings

CONFIG = AcceleratorConfig(rows=3, cols=5, weight_buffer=77, reads_in_flight=4, address_bits=64)
Test = Callable[[SimulatorContext, RegisterFile], Awaitable[None]]


def run(test: Test, config: AcceleratorConfig = CONFIG) -> None:
    registers = RegisterFile(config)

    async def bench(ctx: SimulatorContext) -> None:
        await test(ctx, registers)

    simulate(registers, bench)


async def write(
    ctx: SimulatorContext, registers: RegisterFile, address: int, value: int, strobes: int = 15, data_late: int = 0
) -> int:
    """The response. Data may come later than the address, or sooner if ``data_late`` is negative."""
    bus = registers.bus
    ctx.set(bus.awaddr, address)
    ctx.set(bus.wdata, value)
    ctx.set(bus.wstrb, strobes)
    ctx.set(bus.bready, 1)
    cycle, address_done, data_done = 0, False, False
    while not ctx.get(bus.bvalid):
        ctx.set(bus.awvalid, not address_done and cycle >= -data_late)
        ctx.set(bus.wvalid, not data_done and cycle >= data_late)
        taken = ctx.get(bus.awvalid & bus.awready), ctx.get(bus.wvalid & bus.wready)
        await ctx.tick()
        address_done, data_done = address_done or bool(taken[0]), data_done or bool(taken[1])
        cycle += 1
        assert cycle < 20, "not answered"
    ctx.set(bus.awvalid, 0)
    ctx.set(bus.wvalid, 0)
    response = ctx.get(bus.bresp)
    await ctx.tick()
    ctx.set(bus.bready, 0)
    assert not ctx.get(bus.bvalid)
    return response


async def read(ctx: SimulatorContext, registers: RegisterFile, address: int) -> tuple[int, int]:
    """Data and response."""
    bus = registers.bus
    ctx.set(bus.araddr, address)
    ctx.set(bus.arvalid, 1)
    assert ctx.get(bus.arready)
    await ctx.tick()
    ctx.set(bus.arvalid, 0)
    for _ in range(RegisterFile.read_latency - 1):
        assert not ctx.get(bus.rvalid)
        assert not ctx.get(bus.arready)
        await ctx.tick()
    for _ in range(3):
        assert ctx.get(bus.rvalid), "held until it is taken"
        await ctx.tick()
    answer = ctx.get(bus.rdata), ctx.get(bus.rresp)
    ctx.set(bus.rready, 1)
    await ctx.tick()
    ctx.set(bus.rready, 0)
    assert not ctx.get(bus.rvalid)
    return answer


async def pulses(ctx: SimulatorContext, registers: RegisterFile, value: int, strobes: int) -> tuple[int, int]:
    """How often ``start`` and ``reset`` are high in a write to CONTROL."""
    bus = registers.bus
    ctx.set(bus.awaddr, Register.CONTROL)
    ctx.set(bus.wdata, value)
    ctx.set(bus.wstrb, strobes)
    ctx.set(bus.bready, 1)
    started, reset = 0, 0
    for cycle in range(6):
        ctx.set(bus.awvalid, cycle == 0)
        ctx.set(bus.wvalid, cycle == 0)
        started += ctx.get(registers.start)
        reset += ctx.get(registers.reset)
        await ctx.tick()
    ctx.set(bus.bready, 0)
    return started, reset


def test_constants_tell_what_the_accelerator_was_made_with() -> None:
    async def test(ctx: SimulatorContext, registers: RegisterFile) -> None:
        for register, value in readings(CONFIG).items():
            assert await read(ctx, registers, register) == (value, RESPONSE_OKAY)
        assert (await read(ctx, registers, Register.CONFIG_WEIGHT_BUFFER))[0] == 77
        assert (await read(ctx, registers, Register.CONFIG_BUS_BYTES))[0] == 8

    run(test)


def test_every_field_that_can_be_written_reads_back_and_no_other_bit_does() -> None:
    async def test(ctx: SimulatorContext, registers: RegisterFile) -> None:
        for register, fields in FIELDS.items():
            both = sum(((1 << field.width) - 1) << field.low for field in fields if field.access == Access.BOTH)
            if not both:
                continue
            value = both if register == Register.PROGRAM_LENGTH else 0xFFFF_FFFF
            assert await write(ctx, registers, register, value) == RESPONSE_OKAY
            assert await read(ctx, registers, register) == (both, RESPONSE_OKAY)

    run(test)


def test_an_unaligned_program_address_loses_its_low_bits() -> None:
    async def test(ctx: SimulatorContext, registers: RegisterFile) -> None:
        assert await write(ctx, registers, Register.PROGRAM, 0xFE0) == RESPONSE_OKAY
        assert await read(ctx, registers, Register.PROGRAM) == (0xFC0, RESPONSE_OKAY)
        assert ctx.get(registers.program) == 0xFC0

    run(test)


@pytest.mark.parametrize("data_late", [0, 1, 5, -1, -5])
def test_address_and_data_come_in_any_order(data_late: int) -> None:
    async def test(ctx: SimulatorContext, registers: RegisterFile) -> None:
        for value in (0x1234_5640, 0xFEDC_BA80):
            assert await write(ctx, registers, Register.PROGRAM, value, data_late=data_late) == RESPONSE_OKAY
            assert await read(ctx, registers, Register.PROGRAM) == (value, RESPONSE_OKAY)

    run(test)


def test_only_strobed_bytes_are_written_and_act() -> None:
    async def test(ctx: SimulatorContext, registers: RegisterFile) -> None:
        await write(ctx, registers, Register.PROGRAM, 0x1122_3340)
        await write(ctx, registers, Register.PROGRAM, 0xAABB_CCC0, strobes=0b0101)
        assert (await read(ctx, registers, Register.PROGRAM))[0] == 0x11BB_33C0
        await write(ctx, registers, Register.PROGRAM_LENGTH, 0xFF00_0102, strobes=0b0011)
        assert (await read(ctx, registers, Register.PROGRAM_LENGTH))[0] == 0x102
        assert await write(ctx, registers, Register.INTERRUPT_ENABLE, 1, strobes=0b1110) == RESPONSE_OKAY
        assert (await read(ctx, registers, Register.INTERRUPT_ENABLE))[0] == 0
        assert await write(ctx, registers, Register.INTERRUPT_ENABLE, 1, strobes=0b0001) == RESPONSE_OKAY
        assert (await read(ctx, registers, Register.INTERRUPT_ENABLE))[0] == 1
        assert await pulses(ctx, registers, Control.START | Control.RESET, strobes=0b1110) == (0, 0)
        assert await pulses(ctx, registers, Control.START, strobes=0b0001) == (1, 0)
        assert await pulses(ctx, registers, Control.RESET, strobes=0b1111) == (0, 1)
        ctx.set(registers.running, 1)
        assert await pulses(ctx, registers, Control.START, strobes=0b1111) == (0, 0)

    run(test)


@pytest.mark.parametrize("address", [1, 2, 3, 0x21, 0x22, 0x34, 0x3C, 0xB0, 0xBC, 0x104, 0x1FC, 0x1FF])
def test_addresses_that_name_no_register_are_refused(address: int) -> None:
    async def test(ctx: SimulatorContext, registers: RegisterFile) -> None:
        await write(ctx, registers, Register.PROGRAM, 0x1122_3340)
        assert await read(ctx, registers, address) == (0, RESPONSE_SLVERR)
        assert await write(ctx, registers, address, 0xFFFF_FFFF) == RESPONSE_SLVERR
        assert await read(ctx, registers, Register.PROGRAM) == (0x1122_3340, RESPONSE_OKAY)

    run(test)


def test_what_can_only_be_read_refuses_to_be_written() -> None:
    async def test(ctx: SimulatorContext, registers: RegisterFile) -> None:
        for register, fields in FIELDS.items():
            if {field.access for field in fields} == {Access.READ}:
                assert await write(ctx, registers, register, 0xFFFF_FFFF) == RESPONSE_SLVERR
        for counter in Counter:
            assert await write(ctx, registers, counter_address(counter), 0) == RESPONSE_SLVERR

    run(test)


def test_a_length_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    async def test(ctx: SimulatorContext, registers: RegisterFile) -> None:
        assert await write(ctx, registers, Register.PROGRAM_LENGTH, (1 << 24) - 1) == RESPONSE_OKAY
        assert await write(ctx, registers, Register.PROGRAM_LENGTH, 1 << 24) == RESPONSE_SLVERR
        assert await read(ctx, registers, Register.PROGRAM_LENGTH) == ((1 << 24) - 1, RESPONSE_OKAY)

    run(test)


def test_a_base_lies_on_a_page_within_the_width_of_addresses() -> None:
    async def test(ctx: SimulatorContext, registers: RegisterFile) -> None:
        assert ctx.get(registers.base) == 0
        assert await write(ctx, registers, Register.BASE, 0x8765_4321) == RESPONSE_OKAY
        assert await write(ctx, registers, Register.BASE_HIGH, 0xAB) == RESPONSE_OKAY
        assert await read(ctx, registers, Register.BASE) == (0x8765_4000, RESPONSE_OKAY)
        assert await read(ctx, registers, Register.BASE_HIGH) == (0xAB, RESPONSE_OKAY)
        assert ctx.get(registers.base) == 0xAB_8765_4000
        assert await write(ctx, registers, Register.BASE_HIGH, 0x100) == RESPONSE_SLVERR
        assert await write(ctx, registers, Register.BASE, 0xFFFF_FFFF, strobes=0b0010) == RESPONSE_OKAY
        assert ctx.get(registers.base) == 0xAB_8765_F000

    run(test, dataclasses.replace(CONFIG, address_bits=40))


def test_without_wide_addresses_the_high_word_of_the_base_is_zero() -> None:
    async def test(ctx: SimulatorContext, registers: RegisterFile) -> None:
        assert await write(ctx, registers, Register.BASE_HIGH, 0) == RESPONSE_OKAY
        assert await write(ctx, registers, Register.BASE_HIGH, 1) == RESPONSE_SLVERR
        assert await write(ctx, registers, Register.BASE, 0xFFFF_F000) == RESPONSE_OKAY
        assert await read(ctx, registers, Register.BASE_HIGH) == (0, RESPONSE_OKAY)
        assert ctx.get(registers.base) == 0xFFFF_F000

    run(test, dataclasses.replace(CONFIG, address_bits=32))


def test_a_counter_does_not_tear_while_it_counts() -> None:
    async def test(ctx: SimulatorContext, registers: RegisterFile) -> None:
        address = counter_address(Counter.BYTES_RESULTS)
        ctx.set(registers.counters[Counter.BYTES_RESULTS], 0x1_FFFF_FFFF)
        low, _ = await read(ctx, registers, address)
        ctx.set(registers.counters[Counter.BYTES_RESULTS], 0x2_0000_0000)
        high, _ = await read(ctx, registers, address + 4)
        assert high << 32 | low == 0x1_FFFF_FFFF

    run(test)


def test_a_stop_is_pending_until_cleared_but_a_reset_is_no_stop() -> None:
    async def test(ctx: SimulatorContext, registers: RegisterFile) -> None:
        async def stop(**state: int) -> None:
            ctx.set(registers.running, 1)
            await ctx.tick().repeat(2)
            ctx.set(registers.running, 0)
            for name, value in state.items():
                ctx.set(getattr(registers, name), value)
            await ctx.tick().repeat(2)

        await write(ctx, registers, Register.INTERRUPT_ENABLE, 1)
        await stop()
        assert not ctx.get(registers.interrupt), "reset: neither done nor faulty"
        await stop(done=1)
        assert ctx.get(registers.interrupt)
        assert (await read(ctx, registers, Register.STATUS))[0] == Status.DONE
        await write(ctx, registers, Register.INTERRUPT_PENDING, 0)
        assert ctx.get(registers.interrupt)
        await write(ctx, registers, Register.INTERRUPT_PENDING, 1)
        assert not ctx.get(registers.interrupt)
        await stop(done=0, fault=Fault.READ_ERROR)
        assert ctx.get(registers.interrupt)
        assert (await read(ctx, registers, Register.STATUS))[0] == Status.FAULT

    run(test)
