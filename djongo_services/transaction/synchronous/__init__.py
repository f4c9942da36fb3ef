# Generated from asynchronous/__init__.py by `make synchronous`; edit that.
"""The end of a transaction on the server, with PyMongo's clients of one flavour."""
