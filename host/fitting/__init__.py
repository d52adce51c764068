"""Which accelerator for a network and a chip: areas and clocks predicted, times by the exact timing model."""
