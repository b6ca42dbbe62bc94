"""Whole journeys on a whole marketplace of real processes."""
