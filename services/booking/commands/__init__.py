"""What can happen in booking: load, decide, save, announce, inside the caller's transaction."""
