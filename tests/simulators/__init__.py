"""The stand-ins for outside parties, each tried as its clients use it."""
