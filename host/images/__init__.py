"""A whole network as one relocatable file for the accelerator's memory, with all that a host needs to run it."""
