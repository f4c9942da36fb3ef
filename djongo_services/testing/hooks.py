"""Where Django's test framework creates databases, drops them, and begins and ends a test.

pytest-django calls the same functions. Each is replaced once, by a wrapper with our mark; the
system check ``djongo_services.W016`` reports if one of them is not in force.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection
from typing import Any

from django.db import connections as orm
from pymongo.errors import PyMongoError

from djongo_services import database_names
from djongo_services.connections import address_of
from djongo_services.patching import Method, is_patched, patch
from djongo_services.testing import databases
from djongo_services.testing.isolation import Isolation
from djongo_services.write_listener import listener

_WRAPPED = (
    ("django.test.utils", "setup_databases"),
    ("django.test.utils", "teardown_databases"),
    ("django.test.runner", "_setup_databases"),
    ("django.test.runner", "_teardown_databases"),
    ("django.test.testcases", "TestCase._enter_atomics"),
    ("django.test.testcases", "TestCase._rollback_atomics"),
    ("django.test.testcases", "TransactionTestCase._fixture_teardown"),
)

_isolations: dict[tuple[int, str], Isolation | None] = {}
"""Isolations by process and test database; None if its server does not respond."""
_pushed: list[list[Isolation]] = []


def expects_tests() -> bool:
    """Whether this process will run tests, as far as that is known when Django starts."""
    return "django.test.utils" in sys.modules or sys.argv[1:2] == ["test"]


def install() -> None:
    """Wrap Django's functions; repeating it does nothing."""
    from django.test import testcases, utils

    _wrap(utils, "setup_databases", _setup_databases)
    _wrap(utils, "teardown_databases", _teardown_databases)
    if (runner := sys.modules.get("django.test.runner")) is not None:
        runner._setup_databases = utils.setup_databases  # type: ignore[attr-defined]
        runner._teardown_databases = utils.teardown_databases  # type: ignore[attr-defined]
    _wrap(testcases.TestCase, "_enter_atomics", _enter_atomics)
    _wrap(testcases.TestCase, "_rollback_atomics", _rollback_atomics)
    _wrap(testcases.TransactionTestCase, "_fixture_setup", _fixture_setup)
    _wrap(testcases.TransactionTestCase, "_fixture_teardown", _fixture_teardown)


def forget() -> None:
    """Discard the state that restores this process's databases."""
    found, mine = dict(_isolations), os.getpid()
    _isolations.clear()
    for (process, _), isolation in found.items():
        if isolation is not None and process == mine:
            isolation.close()


def replaced() -> list[str]:
    """The functions of Django's tests that are not ours, because they were replaced later."""
    found = []
    for module, path in _WRAPPED:
        owner: Any = sys.modules.get(module)
        *classes, name = path.split(".")
        for each in classes:
            owner = getattr(owner, each, None)
        if owner is not None and not is_patched(getattr(owner, name)):
            found.append(f"{module}.{path}")
    return found


def _wrap(owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
    def make(original: Method) -> Method:
        return lambda *args, **kwargs: wrapper(original, *args, **kwargs)

    patch(owner, name, make)


def _setup_databases(
    original: Callable[..., Any],
    verbosity: int,
    interactive: bool,
    *,
    keepdb: bool = False,
    parallel: int = 0,
    **kwargs: Any,
) -> Any:
    databases.create(verbosity=verbosity, interactive=interactive, keepdb=keepdb)
    old = original(verbosity, interactive, keepdb=keepdb, parallel=parallel, **kwargs)
    if parallel > 1:
        databases.copy_for_workers(verbosity=verbosity, workers=parallel)
    return old


def _teardown_databases(
    original: Callable[..., Any],
    old_config: Any,
    verbosity: int,
    parallel: int = 0,
    keepdb: bool = False,
) -> None:
    forget()
    try:
        original(old_config, verbosity, parallel=parallel, keepdb=keepdb)
    finally:
        workers = parallel if parallel > 1 else 0
        databases.destroy(verbosity=verbosity, workers=workers, keepdb=keepdb)


def _enter_atomics(original: Callable[..., Any], cls: Any) -> Any:
    pushed = [one for one in _active() if one is not None]
    for isolation in pushed:
        isolation.push()
    _pushed.append(pushed)
    try:
        return original(cls)
    except BaseException:
        _pop()
        raise


def _rollback_atomics(original: Callable[..., Any], cls: Any, atomics: Any) -> None:
    try:
        original(cls, atomics)
    finally:
        _pop()


def _fixture_setup(original: Callable[..., Any], case: Any) -> Any:
    _active(), _beside_models(case.databases)  # New ones record the state before the test.
    return original(case)


def _fixture_teardown(original: Callable[..., Any], case: Any) -> None:
    try:
        original(case)
    finally:
        for isolation in (*_active(), *_beside_models(case.databases)):
            if isolation is not None:
                isolation.restore()


def _pop() -> None:
    for isolation in reversed(_pushed.pop()):
        isolation.pop()


def _active() -> list[Isolation | None]:
    """The isolation of each test database in this process."""
    return [_isolation(configured) for configured in databases.own_databases()]


def _isolation(configured: Any) -> Isolation | None:
    name = database_names.database_name(configured)

    def make() -> Isolation:
        return _begin(databases.client_for(configured), name)

    return _known_or_new(f"{address_of(configured)}/{name}", make)


def _beside_models(aliases: Collection[str]) -> list[Isolation | None]:
    """An isolation for each alias of DATABASES whose client our listener watches, for what Django
    does not flush: collections and stored files that belong to no model."""
    return [
        _beside_models_of(wrapper)
        for wrapper in orm.all()
        if wrapper.alias in aliases and getattr(wrapper, "is_watched_in_tests", False)
    ]


def _beside_models_of(wrapper: Any) -> Isolation | None:
    name = wrapper.settings_dict["NAME"]

    def make() -> Isolation:
        flushed = {*wrapper.introspection.django_table_names(), "django_migrations"}
        return _begin(databases.client_beside(wrapper), name, without=flushed)

    return _known_or_new(f"DATABASES/{wrapper.alias}/{name}", make)


def _known_or_new(place: str, make: Callable[[], Isolation]) -> Isolation | None:
    key = (os.getpid(), place)
    if key not in _isolations:
        try:
            _isolations[key] = make()
        except PyMongoError:
            _isolations[key] = None  # Tests that need the server will report that it is missing.
    return _isolations[key]


def _begin(client: Any, name: str, without: Collection[str] = frozenset()) -> Isolation:
    try:
        return Isolation(client[name], listener, without=without)
    except PyMongoError:
        client.close()
        raise
