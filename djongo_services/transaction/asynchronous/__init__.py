"""The end of a transaction on the server, with PyMongo's clients of one flavour."""
