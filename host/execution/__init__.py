"""Running compiled layers on a backend, and comparing them with golden and with the timing model."""
