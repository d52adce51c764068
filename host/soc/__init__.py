"""A whole system in simulation: LiteX and VexRiscv around the accelerator, with firmware on the C driver."""
