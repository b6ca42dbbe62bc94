"""The service that speaks to people: e-mail, the in-app feed, reminders, calendar invitations."""
