"""The tests of `profiles`."""
