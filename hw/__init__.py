"""The accelerator in Amaranth: its configuration, instruction set, registers and gateware."""
