"""The HTTP API of `payments`: one file per topic, put together in `routes`."""
