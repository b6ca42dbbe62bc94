"""Accounts and sign-in, mentor and mentee profiles, vetting, search, and reviews."""
