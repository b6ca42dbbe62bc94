"""Development: the embedded engines, the launcher and the commands behind `make`."""
