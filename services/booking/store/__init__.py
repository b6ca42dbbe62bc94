"""Every SQL statement of booking, by what it is about."""
