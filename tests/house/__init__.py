"""The rules of the house, checked by machine; each failure names the file and the rule."""
