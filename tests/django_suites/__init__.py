"""Django's own test suites on the stock backend and on the engine: ``make django-tests``.

The suites come from Django's source distribution, which is downloaded, never copied here. What they
take for granted of SQL databases is adapted at run time, the same for both: see :mod:`adapting`.
"""
