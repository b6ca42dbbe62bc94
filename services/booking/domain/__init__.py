"""The rules of booking: pure functions of values and `now` that return what is new and the fact."""
