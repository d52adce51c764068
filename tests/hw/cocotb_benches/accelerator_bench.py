"""The whole accelerator with cocotbext-axi as its bus partner: stalls, error responses, faults, resets."""

from __future__ import annotations

import json
import os

import cocotb
import numpy as np
import single_group
from bus_partner import FaultyMemory, stall
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiSlave

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.encoding import encode, encode_program
from wingrid.hw.isa import Buffer, Execute, Fault, Instruction, Load, Semaphore, Store, mask
from wingrid.hw.registers import IDENTITY, VERSION, Control, Counter, Register, Status, counter_address

CONFIG = AcceleratorConfig(**json.loads(os.environ["WINGRID_CONFIG"]))
CYCLE_NS = 10
BASE = 0x98_7654_3000 % (1 << CONFIG.address_bits)
"""Of memory: above 4 GiB where addresses reach as far."""


class Bench:
    """Clock, reset, memory, registers."""

    def __init__(self, dut: HierarchyObject) -> None:
        self.dut = dut
        self.memory = FaultyMemory(single_group.MEMORY_BYTES, BASE)
        cocotb.start_soon(Clock(dut.clk, CYCLE_NS, unit="ns").start())
        self.slave = AxiSlave(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, target=self.memory)
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)

    def stall(self, seed: int, probability: float) -> None:
        """Pause each of the five AXI channels at random."""
        stall(self.slave, seed, probability)

    async def reset(self) -> None:
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, 4)
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 2)

    async def write(self, register: int, value: int) -> None:
        await self.registers.write_dword(register, value)

    async def read(self, register: int) -> int:
        return await self.registers.read_dword(register)

    async def counter(self, counter: Counter) -> int:
        address = counter_address(counter)
        return await self.read(address) | await self.read(address + 4) << 32

    async def begin(self, length: int) -> None:
        await self.write(Register.INTERRUPT_PENDING, 1)
        await self.write(Register.INTERRUPT_ENABLE, 1)
        await self.write(Register.BASE, BASE & 0xFFFF_FFFF)
        await self.write(Register.BASE_HIGH, BASE >> 32)
        await self.write(Register.PROGRAM, single_group.PROGRAM)
        await self.write(Register.PROGRAM_LENGTH, length)
        await self.write(Register.CONTROL, Control.START)

    async def finish(self, cycles: int = 60_000) -> None:
        if not int(self.dut.interrupt.value):
            await with_timeout(RisingEdge(self.dut.interrupt), cycles * CYCLE_NS, "ns")

    async def run(self, length: int) -> None:
        await self.begin(length)
        await self.finish()

    def put(self, image: np.ndarray) -> None:
        self.memory.mem[: image.size] = image.tobytes()

    def results(self, size: int) -> np.ndarray:
        return np.frombuffer(bytes(self.memory.mem[single_group.RESULTS : single_group.RESULTS + size]), np.uint8)

    async def expect_exact(self, group: single_group.SingleGroup) -> None:
        """Run it and compare every byte of the results; then all counters must tie out."""
        self.put(group.memory)
        await self.run(group.length)
        assert await self.read(Register.STATUS) == Status.DONE
        np.testing.assert_array_equal(self.results(group.expected.size), group.expected)
        counters = {counter: await self.counter(counter) for counter in Counter}
        stalls = sum(value for counter, value in counters.items() if counter.name.startswith("STALL_"))
        assert counters[Counter.CYCLES] == counters[Counter.BUSY] + stalls
        executes = [i for i in group.instructions if isinstance(i, Execute)]
        assert counters[Counter.BUSY] == sum(i.count * i.blocks * i.kernel_height * i.kernel_width for i in executes)
        loaded = {
            buffer: sum(
                i.run_beats * i.runs for i in group.instructions if isinstance(i, Load) and i.buffer == buffer.value
            )
            for buffer in Buffer
        }
        assert counters[Counter.BYTES_ACTIVATIONS] == loaded[Buffer.INPUTS] * CONFIG.bus_bytes
        assert counters[Counter.BYTES_WEIGHTS] == loaded[Buffer.WEIGHTS] * CONFIG.bus_bytes
        assert counters[Counter.BYTES_PARAMETERS] == loaded[Buffer.PARAMETERS] * CONFIG.bus_bytes
        assert counters[Counter.BYTES_RESULTS] == group.expected.size
        assert counters[Counter.BYTES_INSTRUCTIONS] == 64 * group.length

    async def expect_fault(self, fault: Fault, pc: int, program: list[Instruction] | bytes) -> None:
        """Run a bad program, see the fault, its place and the interrupt, then reset into a usable machine."""
        code = program if isinstance(program, bytes) else encode_program(program)
        self.memory.mem[single_group.PROGRAM : single_group.PROGRAM + len(code)] = code
        await self.run(len(code) // 64)
        assert await self.read(Register.STATUS) == Status.FAULT
        assert Fault(await self.read(Register.FAULT)) == fault
        assert await self.read(Register.FAULT_PC) == pc
        await self.write(Register.CONTROL, Control.START)
        assert await self.read(Register.STATUS) == Status.FAULT, "a faulty machine must not start"
        await self.soft_reset()

    async def soft_reset(self) -> None:
        self.memory.bad = range(0)
        await self.write(Register.CONTROL, Control.RESET)
        for _ in range(1000):
            if not await self.read(Register.STATUS):
                break
        else:
            raise AssertionError("soft reset never ended")
        await self.write(Register.INTERRUPT_PENDING, 1)
        assert not int(self.dut.interrupt.value)


async def fresh(dut: HierarchyObject) -> Bench:
    bench = Bench(dut)
    await bench.reset()
    return bench


@cocotb.test()
async def registers_read_as_documented(dut: HierarchyObject) -> None:
    bench = await fresh(dut)
    assert await bench.read(Register.IDENTITY) == IDENTITY
    assert await bench.read(Register.SHAPE) == CONFIG.rows << 16 | CONFIG.cols
    assert await bench.read(Register.STATUS) == 0
    await bench.write(Register.PROGRAM, 0x1234_5640)
    assert await bench.read(Register.PROGRAM) == 0x1234_5640
    assert await bench.read(Register.VERSION) == VERSION
    assert await bench.read(Register.CONFIG_ACCUMULATORS) == CONFIG.accumulators


@cocotb.test()
@cocotb.parametrize(probability=[0.0, 0.3, 0.8])
async def convolution_is_exact_under_random_stalls(dut: HierarchyObject, probability: float) -> None:
    bench = await fresh(dut)
    for seed, shape in enumerate(({}, {"kernel": 1, "padding": 0, "filters": 13}, {"kernel": 5, "padding": 3})):
        bench.stall(seed, probability)
        await bench.expect_exact(single_group.build(CONFIG, seed=seed, **shape))


@cocotb.test(skip=not CONFIG.tiles)
@cocotb.parametrize(probability=[0.0, 0.5])
async def winograd_is_exact_under_random_stalls(dut: HierarchyObject, probability: float) -> None:
    bench = await fresh(dut)
    shapes = ({}, {"height": 9, "width": 3}, {"padding": 0, "filters": 3}, {"channels": 1, "height": 4, "width": 13})
    for seed, shape in enumerate(shapes):
        for tile in CONFIG.tiles:
            bench.stall(seed, probability)
            await bench.expect_exact(single_group.build(CONFIG, seed=seed, tile=tile, **shape))
            await bench.expect_exact(single_group.build(CONFIG, seed=seed, **shape))


@cocotb.test(skip=not CONFIG.tiles)
@cocotb.parametrize(values=[(-128, -128), (127, 127), (-128, 127), (127, -128)])
async def winograd_is_exact_on_extreme_operands(dut: HierarchyObject, values: tuple[int, int]) -> None:
    bench = await fresh(dut)
    bench.stall(5, 0.3)
    for tile in CONFIG.tiles:
        for zero_point in (0, -60):
            group = single_group.build(CONFIG, tile=tile, alternating=values, x_zero_point=zero_point, height=6)
            assert len(np.unique(group.expected)) > 4
            await bench.expect_exact(group)


@cocotb.test()
@cocotb.parametrize(probability=[0.0, 0.5])
async def pooling_is_exact_under_random_stalls(dut: HierarchyObject, probability: float) -> None:
    bench = await fresh(dut)
    bench.stall(5, probability)
    pools = ((2, 2), (3, 2), (2, 1), (3, 3))
    for seed, (window, stride) in enumerate(pools):
        size = {"height": 6 + seed, "width": 9 - seed}
        await bench.expect_exact(single_group.build(CONFIG, seed=seed, pool=window, pool_stride=stride, **size))
    for tile in CONFIG.tiles:
        for size in ({"height": 8, "width": 8}, {"height": 7, "width": 6}, {"height": 5, "width": 11, "padding": 0}):
            await bench.expect_exact(single_group.build(CONFIG, seed=tile, tile=tile, pool=2, **size))


@cocotb.test()
async def same_program_takes_the_same_cycles_twice(dut: HierarchyObject) -> None:
    bench = await fresh(dut)
    group = single_group.build(CONFIG)
    cycles = []
    for _ in range(2):
        await bench.expect_exact(group)
        cycles.append(await bench.counter(Counter.CYCLES))
    assert cycles[0] == cycles[1]


@cocotb.test()
async def illegal_instructions_stop_the_machine(dut: HierarchyObject) -> None:
    bench = await fresh(dut)
    illegal = (
        bytes(64),
        b"\xff" * 64,
        encode(Load(run_beats=0)),
        encode(Load(buffer=len(Buffer))),
        encode(Load(source=CONFIG.bus_bytes // 2)),
        encode(Load(wait=mask([Semaphore.SUMS_READY]))),
        encode(Execute(count=0)),
        encode(Execute(bank=2)),
        encode(Store(first=1, width=1)),
        encode(Store(pool=1)),
        encode(Store(pixel_pitch=1)),
        encode(Store(pixel_pitch=16)),
        encode(Store(pixel_pitch=2, tile=2)),
        encode(Store(pool=2, pool_stride=2, first=1, width=2)),
        encode(Store(signal=mask([Semaphore.WEIGHTS_LOADED]))),
    )
    for code in illegal:
        await bench.expect_fault(Fault.ILLEGAL_INSTRUCTION, 1, encode(Load()) + code)
    await bench.expect_exact(single_group.build(CONFIG))


@cocotb.test()
async def addresses_out_of_a_buffer_stop_the_machine(dut: HierarchyObject) -> None:
    bench = await fresh(dut)
    outside = (
        Load(buffer=Buffer.INPUTS.value, destination=CONFIG.input_buffer),
        Load(buffer=Buffer.WEIGHTS.value, destination=CONFIG.weight_buffer),
        Load(buffer=Buffer.PARAMETERS.value, destination=CONFIG.parameter_entries),
        Load(buffer=Buffer.TABLES.value, destination=CONFIG.table_entries),
        Load(buffer=Buffer.ADDENDS.value, destination=CONFIG.addends),
        Store(table=CONFIG.tables + 1),
        Store(combination=1, addend_base=CONFIG.addends),
        Execute(input_base=CONFIG.input_buffer),
        Execute(weight_base=CONFIG.weight_buffer),
        Execute(accumulator_base=CONFIG.accumulators - 3, count=4),
        Store(accumulator_base=CONFIG.accumulators),
        Store(parameter_block=CONFIG.parameter_blocks),
    )
    for instruction in outside:
        await bench.expect_fault(Fault.ADDRESS_OUT_OF_BUFFER, 2, [Load(), Load(), instruction])


@cocotb.test()
async def bus_errors_stop_the_machine(dut: HierarchyObject) -> None:
    bench = await fresh(dut)
    group = single_group.build(CONFIG)
    places = (
        (single_group.WEIGHTS, Fault.READ_ERROR, 1),
        (single_group.PARAMETERS, Fault.READ_ERROR, 2),
        (single_group.PROGRAM + 3 * 64, Fault.READ_ERROR, 3),
        (single_group.RESULTS, Fault.WRITE_ERROR, 4),
    )
    for probability in (0.0, 0.5):
        bench.stall(7, probability)
        for address, fault, pc in places:
            bench.put(group.memory)
            bench.memory.bad = range(address, address + 4)
            await bench.expect_fault(fault, pc, group.instructions)
    await bench.expect_exact(group)


@cocotb.test()
async def other_faults_stop_the_machine(dut: HierarchyObject) -> None:
    bench = await fresh(dut)
    await bench.expect_fault(Fault.DEADLOCK, 1, [Execute(wait=mask([Semaphore.INPUTS_LOADED]))])
    floods = [Load(signal=mask([Semaphore.INPUTS_LOADED]))] * 300
    code = encode_program(floods)
    bench.memory.mem[single_group.PROGRAM : single_group.PROGRAM + len(code)] = code
    await bench.run(len(floods))
    assert Fault(await bench.read(Register.FAULT)) == Fault.SEMAPHORE_OVERFLOW
    await bench.soft_reset()
    long_execute = Execute(count=CONFIG.accumulators, blocks=8)
    await bench.expect_fault(
        Fault.BANK_CONFLICT, 1, [long_execute, Store(count=CONFIG.accumulators, width=CONFIG.accumulators)]
    )
    await bench.expect_exact(single_group.build(CONFIG))


@cocotb.test()
async def reset_in_the_middle_of_work_leaves_a_usable_machine(dut: HierarchyObject) -> None:
    bench = await fresh(dut)
    group = single_group.build(CONFIG)
    for cycles in (20, 111, 250, 400):
        bench.put(group.memory)
        await bench.begin(group.length)
        await ClockCycles(dut.clk, cycles)
        assert await bench.read(Register.STATUS) == Status.RUNNING
        await bench.reset()
        assert await bench.read(Register.STATUS) == 0
        await bench.expect_exact(group)
    bench.stall(3, 0.5)
    for cycles in (30, 171, 333):
        bench.put(group.memory)
        await bench.begin(group.length)
        await ClockCycles(dut.clk, cycles)
        await bench.soft_reset()
        await bench.expect_exact(group)
