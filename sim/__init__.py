"""What stands in for silicon: numpy golden model, executable specification, Verilated RTL, timing model, memory."""
