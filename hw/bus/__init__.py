"""The AXI4 master and what its bursts obey."""
