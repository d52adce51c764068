"""One cell of the systolic array: a multiplier, its adder and a double-buffered weight."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig


class ProcessingElement(wiring.Component):
    """Multiply the activation that passes by the weight at rest and add to the sum that passes.

    The cell of a weight-stationary array (Kung and Leiserson, 1978; Jouppi et al., ISCA 2017) with a
    second weight register behind the first, so that the next tile arrives while this one is in use.

    Everything is free-running, without flow control: the array around it has a fixed
    latency, so a wrapper can account for what is valid. Nothing is reset either, because old data in
    flight is always ahead of new data on the same path and never meets it.

    ``swap`` comes in the cycle of the first activation that belongs to the new weight. The weight
    changes as that activation is registered, hence both stand at the multiplier together and no
    multiplexer stands before it.

    Members
    -------
    activation_in : In, signed(activation_bits)
    activation_out : Out, signed(activation_bits)
        Moves right, one cycle per cell.
    swap : In, 1
        The shadow weight becomes the active weight. Travels with the activation.
    sum_in : In, signed(accumulator_bits)
        Moves down. An activation that enters in cycle t meets the ``sum_in`` of cycle t + ``latency`` - 1.
    sum_out : Out, signed(accumulator_bits)
        The sum of both, modulo ``2**accumulator_bits``, in cycle t + ``latency``.
    weight_in : In, signed(weight_bits)
    weight_out : Out, signed(weight_bits)
        Moves down: the cell hands on its shadow weight.
    load : In, 1
        The shadow weight becomes ``weight_in``.
    """

    latency = 3
    """Cycles from an activation to the sum that has it: registers of the activation, the product and the sum."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._activation_shape = signed(config.activation_bits)
        self._weight_shape = signed(config.weight_bits)
        self._sum_shape = signed(config.accumulator_bits)
        super().__init__(
            {
                "activation_in": In(self._activation_shape),
                "activation_out": Out(self._activation_shape),
                "swap": In(1),
                "sum_in": In(self._sum_shape),
                "sum_out": Out(self._sum_shape),
                "weight_in": In(self._weight_shape),
                "weight_out": Out(self._weight_shape),
                "load": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        activation = Signal(self._activation_shape, reset_less=True)
        shadow = Signal(self._weight_shape, reset_less=True)
        active = Signal(self._weight_shape, reset_less=True)
        product = Signal(signed(self._activation_shape.width + self._weight_shape.width), reset_less=True)
        addend = Signal(self._sum_shape)
        total = Signal(self._sum_shape, reset_less=True)

        # Each register has the width of what it holds, and the adder is unsigned, which costs no simulator anything:
        # where yosys narrows what is in front of a register, and the register goes into a DSP48E1, it loses its upper
        # bits (yosys 0.70, synth_xilinx).
        m.d.comb += addend.eq(product)
        m.d.sync += [
            activation.eq(self.activation_in),
            product.eq(activation * active),
            total.eq(self.sum_in.as_unsigned() + addend.as_unsigned()),
        ]
        with m.If(self.load):
            m.d.sync += shadow.eq(self.weight_in)
        with m.If(self.swap):
            m.d.sync += active.eq(shadow)

        m.d.comb += [
            self.activation_out.eq(activation),
            self.weight_out.eq(shadow),
            self.sum_out.eq(total),
        ]
        return m
