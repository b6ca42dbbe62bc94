"""What can happen in this service: each verb loads, lets the domain decide, saves and announces."""
