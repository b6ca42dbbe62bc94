"""What `payments` does by itself: timers, stored webhooks, and calls to Stripe."""
