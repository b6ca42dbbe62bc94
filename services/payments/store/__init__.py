"""Every SQL statement of `payments`, one file per topic."""
