"""Every SQL statement of notifications, by what it is about."""
