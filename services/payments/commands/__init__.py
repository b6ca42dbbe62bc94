"""What can happen in `payments`: load, decide, save, announce; each in its caller's transaction."""
