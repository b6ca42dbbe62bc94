"""Tests of the web client against a real server that answers as the services would."""
