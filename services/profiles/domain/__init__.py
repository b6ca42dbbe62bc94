"""The rules of accounts, sign-ins, keys, mentor profiles, search and reviews; pure."""
