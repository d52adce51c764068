"""Software that drives the accelerator: C99 for anything, Python for a device file."""
