"""Tests of projects that use MongoDB beside the ORM: a database of their own, restored after each
test.

=================== ==========================================================
:mod:`databases`    making and dropping it, and a copy for each parallel worker
:mod:`isolation`    putting it back after each test
:mod:`hooks`        where Django's test framework calls these
=================== ==========================================================
"""
