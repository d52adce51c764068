"""All the best accelerators for networks and a chip: a space that is searched whole, by bounds and exact times."""
