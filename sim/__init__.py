"""What stands in for silicon: the numpy golden model and the Verilated RTL."""
