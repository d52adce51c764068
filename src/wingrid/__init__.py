"""An open CNN accelerator: Amaranth hardware, exact simulators, and a host runtime that counts every cycle."""
