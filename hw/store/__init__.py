"""From accumulators to memory: requantisation, pooling, output buffer."""
