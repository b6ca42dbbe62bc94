"""The proof of every promise: pure tests, tests on real engines, journeys on real processes."""
