"""What a run took, as tables, JSON and CSV: efficiency, traffic, energy, roofline, memory footprint."""
