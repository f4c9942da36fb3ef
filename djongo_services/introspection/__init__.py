"""What a database is: its catalog, and the shape of the documents in it."""

from djongo_services.introspection.inspecting import inspect_database
from djongo_services.introspection.profiling import profile
from djongo_services.introspection.profiling.references import find_references
from djongo_services.introspection.reading import read_catalog

__all__ = ["find_references", "inspect_database", "profile", "read_catalog"]
