"""Registers, fetch and decode, semaphores, counters, and who starts and stops the machine."""
