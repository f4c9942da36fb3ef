"""Tests of projects whose MongoDB is beside the ORM: a database of their own, left as it was.

=================== ==========================================================
:mod:`databases`    making and dropping it, and a copy for each parallel worker
:mod:`isolation`    putting it back after each test
:mod:`hooks`        where Django's test framework calls these
=================== ==========================================================
"""
