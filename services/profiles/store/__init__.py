"""Every SQL statement of this service, by topic, and the functions that read its rows."""
