"""What can happen here: contacts and purchases are followed, messages are planned and sent."""
