"""The parts of the benchmark of error rates."""
