"""The one room that speaks to Stripe, and the only importer of its SDK."""
