"""What a transaction does on the server at its end, on PyMongo's clients of one flavour."""
