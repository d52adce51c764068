"""What networks take by the timing model alone: one configuration or many, tables and plots."""
