"""The Verilated accelerator: building it, and driving it from Python."""
