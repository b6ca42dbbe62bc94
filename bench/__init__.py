"""Benchmarks: each of our costs beside its physical control, measured in the same run."""
