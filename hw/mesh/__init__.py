"""The weight-stationary array and its accumulators."""
