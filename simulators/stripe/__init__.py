"""A faithful Stripe on a port: API, hosted pages, webhooks, and `/_sim` to direct the play."""
