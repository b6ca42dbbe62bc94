"""A mail server for development: it delivers nothing and shows everything."""
