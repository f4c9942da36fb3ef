"""What the values at each path are like, computed by the server; only the summary leaves it."""

from djongo_services.introspection.profiling.values.summarising import summarise_values

__all__ = ["summarise_values"]
