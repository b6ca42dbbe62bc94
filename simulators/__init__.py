"""Real servers on a port for every outside party; used by dev, tests and bench only."""
