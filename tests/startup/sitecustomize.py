"""Code that Python runs first in every process that a test starts: see :mod:`tests.processes`."""

import ctypes.util
import os
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

# Where GDAL is not installed, Django looks for it under twelve names with the help of a compiler,
# and the backend has it do so three times: a third of the time that a project takes to start.
_find_library = ctypes.util.find_library
_found: dict[str, str | None] = {}


def _find_once(name: str) -> str | None:
    if name.lower().startswith("gdal"):
        if "gdal" not in _found:
            _found["gdal"] = _find_library("gdal")
        return _found["gdal"]
    return _find_library(name)


ctypes.util.find_library = _find_once


# The backend refuses servers older than those it is developed with. Where the variable is set, as
# the sessions of the matrix set it, it takes any: no newer binary comes in a Python package.
_FEATURES = "django_mongodb_backend.features"


class _AnyServer(MetaPathFinder, Loader):
    """Imports the backend's features without the oldest server that they demand."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != _FEATURES:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            self._loader: Any = spec.loader
            spec.loader = self
        return spec

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        self._loader.exec_module(module)
        module.DatabaseFeatures.minimum_database_version = None


if os.environ.get("DJONGO_SERVICES_TEST_ANY_SERVER"):
    sys.meta_path.insert(0, _AnyServer())
