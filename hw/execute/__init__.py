"""From the operand buffers to the mesh: weight tiles and vectors."""
