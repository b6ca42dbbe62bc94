"""The web client: pages for mentees, mentors and operators over the services' public APIs.

It has no database. A person's tokens live in an encrypted cookie, and every page asks the services
in that person's name; a page shows what it has when one of them is away.
"""
