"""The kit: plumbing that every service uses and that knows none of them."""
