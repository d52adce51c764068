"""The weight-stationary systolic array: rows x cols processing elements with skew and deskew."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.processing_element import ProcessingElement


class Mesh(wiring.Component):
    """Multiply a vector by the resident ``rows`` x ``cols`` matrix in every cycle.

    ``sums[c]`` in cycle t + ``latency_for(config)`` is the sum over r of ``vector[r]`` in cycle t times the active
    weight (r, c), modulo ``2**accumulator_bits``. The array free-runs; ``MatrixUnit`` owns the handshakes.

    Weights
    -------
    A tile arrives row by row, **last row first**, and each row is captured by element row 0 while every
    element row below takes over the shadow weight of the one above. With row k of a tile (k = 0 ..
    rows-1 in order of arrival) bits 0 .. k of ``load`` are set, a thermometer: element row r captures from
    k = r on, which is exactly often enough to end with its own row, and so keeps the tile before until then.
    ``swap`` comes with the first vector that uses the tile.

    Timing
    ------
    Let a vector enter in cycle V with ``swap``, and row k of the next tile in cycle T + k at the earliest.
    Row r of the array sees its lane delayed by r, column c everything delayed by c, and so element (r, c)

    - copies its shadow weight at the end of cycle V + r + c,
    - first overwrites it at the end of cycle T + r + c, for k = r,
    - holds the whole tile from cycle T + rows + c on.

    A copy at the edge of the overwrite still takes the old weight, so T >= V is early enough: a tile may
    start to enter in the very cycle in which the one before is put to use. And its own first vector may
    come in cycle V' = T + rows (row 0 is the tightest: V' + 0 + c >= T + rows + c). Tiles of P >= rows vectors
    hence follow each other without a bubble. Both bounds meet only because weights and vectors pass
    equally many registers (none) before element (0, 0): vectors D_v = 1 before they are multiplied, the
    element's own, and weights D_w = 0 before they are captured. One more on the vectors would allow a load
    to overtake its predecessor's swap, one more on the weights a swap to come before its load.

    Members
    -------
    vector : In, rows x signed(activation_bits)
    swap : In, 1
    weights : In, cols x signed(weight_bits)
    load : In, rows
    sums : Out, cols x signed(accumulator_bits)
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "vector": In(data.ArrayLayout(signed(config.activation_bits), config.rows)),
                "swap": In(1),
                "weights": In(data.ArrayLayout(signed(config.weight_bits), config.cols)),
                "load": In(config.rows),
                "sums": Out(data.ArrayLayout(signed(config.accumulator_bits), config.cols)),
            }
        )

    @staticmethod
    def latency_for(config: AcceleratorConfig) -> int:
        """Cycles from a vector to its sums: the element's own, and one for every further row and column."""
        return ProcessingElement.latency + (config.rows - 1) + (config.cols - 1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, cols = self._config.rows, self._config.cols
        elements = [[ProcessingElement(self._config) for _ in range(cols)] for _ in range(rows)]

        row_swaps = _taps(m, self.swap, rows, "swap")
        for r, row in enumerate(elements):
            m.d.comb += row[0].activation_in.eq(_delayed(m, self.vector[r], r, f"vector_{r}"))
            swaps = _taps(m, row_swaps[r], cols, f"swap_{r}")
            loads = _taps(m, self.load[r], cols, f"load_{r}")
            for c, element in enumerate(row):
                m.d.comb += [element.swap.eq(swaps[c]), element.load.eq(loads[c])]
        for c, element in enumerate(elements[0]):
            m.d.comb += element.weight_in.eq(_delayed(m, self.weights[c], c, f"weight_{c}"))
        for c, element in enumerate(elements[-1]):
            m.d.comb += self.sums[c].eq(_delayed(m, element.sum_out, cols - 1 - c, f"sum_{c}"))

        for r, row in enumerate(elements):
            for c, element in enumerate(row):
                m.submodules[f"element_{r}_{c}"] = element
                if c:
                    m.d.comb += element.activation_in.eq(row[c - 1].activation_out)
                if r:
                    above = elements[r - 1][c]
                    m.d.comb += [element.sum_in.eq(above.sum_out), element.weight_in.eq(above.weight_out)]
        return m


def _delayed(m: Module, value: Value, cycles: int, name: str) -> Value:
    """The value as it was that many cycles ago."""
    for i in range(cycles):
        stage = Signal(value.shape(), name=f"{name}_{i + 1}", reset_less=True)
        m.d.sync += stage.eq(value)
        value = stage
    return value


def _taps(m: Module, bit: Value, count: int, name: str) -> Value:
    """The bit as it was 0 .. count - 1 cycles ago, from one register: faster to simulate than bit by bit."""
    past = Signal(count - 1, name=f"{name}_past", reset_less=True)
    taps = Cat(bit, past)
    m.d.sync += past.eq(taps)
    return taps
