"""Proving the promises on the data itself: time sold once, books that balance, nothing forgotten.

What must hold at every instant is checked once, on one snapshot of the database. What only comes
true in the end (between services, or with Stripe) is looked at again until it holds or the grace
period is over: only what was wrong in every look is wrong; the rest was in flight.
"""
