"""From memory into the operand buffers."""
