"""A bitstream for a board: a whole system around the accelerator, synthesised, placed, routed, packed and simulated."""
