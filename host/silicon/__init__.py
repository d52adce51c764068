"""What the accelerator takes on a chip: synthesis, place and route with open tools, area by part, clock and paths."""
