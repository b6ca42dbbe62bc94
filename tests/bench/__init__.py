"""The benchmarks at tiny sizes: both sides do the same work on real engines; no figure counts."""
