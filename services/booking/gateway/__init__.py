"""The world outside of booking: the servers that keep mentors' calendars."""
