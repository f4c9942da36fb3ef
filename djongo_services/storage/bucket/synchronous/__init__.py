# Generated from asynchronous/__init__.py by `make synchronous`; edit that.
"""What a bucket does on the server, on PyMongo's clients of one flavour."""
