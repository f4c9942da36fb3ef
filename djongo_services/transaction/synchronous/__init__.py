# Generated from asynchronous/__init__.py by `make synchronous`; edit that.
"""What a transaction does on the server at its end, on PyMongo's clients of one flavour."""
