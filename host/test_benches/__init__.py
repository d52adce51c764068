"""A test bench in plain Verilog that proves a whole network on the generated accelerator in any simulator."""
