"""What a database is: its catalog, and the shape of the documents in it."""

from djongo_services.introspection.profiling import profile
from djongo_services.introspection.reading import read_catalog

__all__ = ["profile", "read_catalog"]
