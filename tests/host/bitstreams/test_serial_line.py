"""What the simulation hears on the serial line of a chip that sends known letters."""

from __future__ import annotations

import pytest

from wingrid.host.bitstreams.simulator import said
from wingrid.host.bitstreams.ulx3s import BAUD, HERTZ
from wingrid.sim.rtl.simulator import SimulationError

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

TEXT = "class 9\n\x7f\xaa\n\x04"
CYCLES_OF_BIT = HERTZ // BAUD
PAUSE = 40
"""Cycles of silence at the start."""


def sender(cycles_of_bit: int) -> str:
    """A chip that sends the text, a start bit, eight bits and two stop bits for each letter."""
    line = "".join(f"0{ord(letter):08b}"[:1] + f"{ord(letter):08b}"[::-1] + "11" for letter in TEXT)
    bits = len(line)
    return f"""module board(input clk, input serial_rx, output reg serial_tx);
  reg [{bits - 1}:0] line = {bits}'b{line[::-1]};
  reg [31:0] passed = 0;
  initial serial_tx = 1;
  always @(posedge clk) begin
    passed <= passed + 1;
    if (passed >= {PAUSE} && passed % {cycles_of_bit} == 0) begin
      serial_tx <= line[0];
      line <= {{1'b1, line[{bits - 1}:1]}};
    end
  end
endmodule
"""


def test_letters_arrive() -> None:
    lines, cycles = said(sender(CYCLES_OF_BIT), 5000, 1, lambda _: None)
    assert lines == TEXT.split("\n")[:-1]
    sent = 11 * CYCLES_OF_BIT * len(TEXT)
    assert PAUSE + sent - 3 * CYCLES_OF_BIT < cycles < PAUSE + sent + CYCLES_OF_BIT


def test_another_pace_is_noticed() -> None:
    with pytest.raises(SimulationError, match="carries no letters"):
        said(sender(CYCLES_OF_BIT // 3), 5000, 1, lambda _: None)
