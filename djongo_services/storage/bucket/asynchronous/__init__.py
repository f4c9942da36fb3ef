"""What a bucket does on the server, on PyMongo's clients of one flavour."""
