"""What people should act on in a collection: its documents, indexes, references and validator."""

from djongo_services.introspection.profiling.warnings.finding import find_warnings

__all__ = ["find_warnings"]
