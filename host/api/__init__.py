"""What ``import wingrid`` offers: the commands as functions."""
