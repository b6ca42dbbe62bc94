"""The rules of `payments`: pure, with the present instant passed in."""
