"""Payments: checkout, the ledger, refunds, connected accounts, transfers and payouts."""
