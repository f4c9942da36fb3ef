"""A database engine for Django on MongoDB: ``ENGINE = "djongo_services.backend"``.

A subclass of django-mongodb-backend's engine in which Django's own ``transaction.atomic``,
savepoints, ``ATOMIC_REQUESTS`` and TestCase work. Only Django imports this package, by its name in
``DATABASES``.
"""

from djongo_services.backend import keys

keys.install()
