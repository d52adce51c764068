"""From a layer to a program: algorithms, plans, instructions, memory."""
