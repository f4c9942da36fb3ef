"""Profiles: what the documents of a collection contain."""

from djongo_services.introspection.profiling.engine import profile

__all__ = ["profile"]
