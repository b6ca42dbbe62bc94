"""The Stripe simulator is as faithful as Stripe's own schema and documentation say (P20)."""
