"""The rules of `notifications`: who is told what and when, in which words; pure."""
