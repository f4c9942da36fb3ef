"""Fields whose values are the keys of other collections, verified against the data."""

from djongo_services.introspection.profiling.references.finding import find_references

__all__ = ["find_references"]
