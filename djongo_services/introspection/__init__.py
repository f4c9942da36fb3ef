"""What a database contains: its catalog, and the shape of its documents.

The functions are loaded when they are first used: most processes of a project need the catalog, to
compare their models with it, and inspect nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from djongo_services.introspection.inspecting import inspect_database
    from djongo_services.introspection.profiling import profile
    from djongo_services.introspection.profiling.references import find_references
    from djongo_services.introspection.reading import read_catalog

__all__ = ["find_references", "inspect_database", "profile", "read_catalog"]

_MODULES = {
    "inspect_database": "inspecting",
    "profile": "profiling",
    "find_references": "profiling.references",
    "read_catalog": "reading",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
