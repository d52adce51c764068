"""The timing model: plays a program's engines against each other, and takes as many cycles as the RTL."""
