"""Making the backend's connections (django-mongodb-backend) take part in transactions.

The backend keeps a transaction's state in its DatabaseWrapper, one per thread, where a thread or
task that joined a block cannot see it. So the wrapper's class is patched to check the context
first. Outside of our blocks it behaves as before, with three exceptions: its own failed commit no
longer leaves a dead session behind for the thread's next transaction, awaitable callbacks are
awaited, and the ORM follows a change of ``settings_dict["NAME"]`` as PyMongo does here.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections as databases
from django.db.backends.signals import connection_created
from django.db.utils import load_backend

from djongo_services.connections import Connection, client_made
from djongo_services.patching import Method, patch
from djongo_services.transaction import clients, commit, hooks, state
from djongo_services.transaction.errors import is_unknown_commit
from djongo_services.transaction.options import Options
from djongo_services.transaction.participants import owned
from djongo_services.transaction.state import ENDING, ActiveTransaction, Key
from djongo_services.transaction.unions import patch_queries


# Ensuring that every client of a configured connection knows about transactions.
#
# One that does not would refuse to work inside of another connection's block.
def watch_everything() -> None:
    client_made.connect(_on_client, dispatch_uid="djongo_services.transaction")
    watch_connections()


def watch_engines() -> None:
    """Watch all connections. Call it once all apps are loaded, so that those of DATABASES need not
    have been used before."""
    patch_engines()


def _on_client(*, connection: Connection, client: Any, **kwargs: Any) -> None:
    clients.watch(client, connection.key)


_FLAG = "in_atomic_block_mongo"
_HOOKS = "run_on_commit"
_DATABASE = "database"
_ATTACHED = "_djongo_services_attached"
_lock = threading.Lock()
_here = threading.local()
"""By alias, this thread's wrapper once its own atomic has begun a transaction."""


def patch_engines() -> None:
    """Patch the classes of all DATABASES before any connects, because the first command of one may
    be sent inside of another's block.

    Raises ImproperlyConfigured for a MongoDB engine that cannot be patched.
    """
    for wrapper_class in _engines():
        if wrapper_class.vendor == "mongodb" and not brings_transactions(wrapper_class):
            _patch(wrapper_class)


def brings_transactions(wrapper_class: type[Any]) -> bool:
    """Whether it supports Django's own transactions, so that nothing must be replaced."""
    return bool(getattr(wrapper_class, "brings_transactions", False))


def transaction_class(connection: Connection) -> type[ActiveTransaction]:
    """The class of a connection's transactions; the engine has one with savepoints."""
    alias = connection.settings.database
    if alias is None:
        return ActiveTransaction
    engine = load_backend(databases.settings[alias]["ENGINE"]).DatabaseWrapper
    found: type[ActiveTransaction] = getattr(engine, "transaction_class", ActiveTransaction)
    return found


def _engines() -> Iterator[type[Any]]:
    """The engines that can be loaded; Django reports the others when they are used."""
    with contextlib.suppress(ImproperlyConfigured):
        for name in {databases.settings[alias]["ENGINE"] for alias in databases}:
            with contextlib.suppress(ImproperlyConfigured, ImportError):
                yield load_backend(name).DatabaseWrapper


def watch_connections() -> None:
    """Patch the existing connections, and each further one when it connects."""
    connection_created.connect(_on_connection, dispatch_uid="djongo_services.transaction")
    if not settings.configured:
        return  # Then there are none, and a project that only uses a bucket needs no settings.
    for wrapper in databases.all(initialized_only=True):
        if wrapper.connection is not None:
            _on_connection(sender=type(wrapper), connection=wrapper)


def pooled_client(alias: str) -> Any:
    """The backend's client of a DATABASES alias if it is connected and watched, or None."""
    client = databases[alias]._connection_pools.get(alias)  # type: ignore[attr-defined]  # backend
    return client if clients.key_of(client) is not None else None


def attach_existing(connection: Connection) -> ActiveTransaction | None:
    """The transaction that the backend's own atomic has open in this thread, as one of ours."""
    if connection.settings.database is None:
        return None
    return _attach_existing(databases[connection.settings.database], connection.alias)


def attach_existing_for(key: Key) -> ActiveTransaction | None:
    """The same for the clients of a key, if no connection was requested yet."""
    if key[0] != "DATABASES" or not may_have_begun_here(key[1]):
        return None
    return _attach_existing(databases[key[1]], key[1])


def _attach_existing(wrapper: Any, alias: str) -> ActiveTransaction | None:
    if (own := owned(_key(wrapper))) is not None:
        return own
    if not wrapper.in_atomic_block_mongo or wrapper.session is None:
        return None
    attached: ActiveTransaction | None = wrapper.__dict__.get(_ATTACHED)
    if attached is None or attached.session is not wrapper.session:
        attached = ActiveTransaction(
            key=_key(wrapper),
            alias=alias,
            database=wrapper.settings_dict["NAME"],
            options=Options(),
            transactional=True,
        )
        attached.owner = wrapper
        attached.home = threading.get_ident()
        attached.session = wrapper.session
        attached.sessions[id(wrapper.session.client)] = wrapper.session
        state.attach(wrapper.session, attached)
        setattr(wrapper, _ATTACHED, attached)
    return attached


def may_have_begun_here(alias: str) -> bool:
    """Whether the backend's own atomic, or Django's on the engine, may be open in this thread. It
    does not ask Django for the thread's wrapper, which takes some microseconds and may create one
    needlessly."""
    if owned(("DATABASES", alias)) is not None:
        return True
    wrapper = vars(_here).get(alias)
    return wrapper is not None and wrapper.session is not None


def register(
    event: str, transaction: ActiveTransaction, callback: hooks.Callback, *, robust: bool
) -> None:
    """Register a user's callback for the outcome."""
    if event == "on_commit":
        hook = hooks.make_hook(event, callback, robust=robust)
        commit_hooks(transaction).append(hook)
    else:
        transaction.hooks.add(event, callback, robust=robust)


def commit_hooks(transaction: ActiveTransaction) -> list[hooks.Hook]:
    """The users' callbacks for the commit; the backend runs those of its own blocks."""
    if transaction.owner is None:
        return transaction.hooks.on_commit
    waiting: list[hooks.Hook] = vars(transaction.owner)[_HOOKS]
    return waiting


def _on_connection(*, sender: Any, connection: Any, **kwargs: Any) -> None:
    if connection.vendor == "mongodb":
        clients.watch(connection.connection, _key(connection))
        if not brings_transactions(type(connection)):
            _patch(type(connection))


def _patch(wrapper_class: type[Any]) -> None:
    """Patch the class that defines the backend's transactions, for it and its subclasses.

    Methods that were replaced by other code since the last time are replaced again.
    """
    classes = reversed(wrapper_class.__mro__)
    backend = next((each for each in classes if "start_transaction_mongo" in vars(each)), None)
    missing = [name for name in _PATCHES if not hasattr(backend, name)]
    if backend is None or missing:
        raise ImproperlyConfigured(
            f"The database engine {wrapper_class.__module__} has no {(missing or ['methods'])[0]}, "
            f"which djongo_services needs for transactions; install django-mongodb-backend 5.2 to "
            f"6.1, or remove djongo_services from INSTALLED_APPS."
        )
    with _lock:
        for name, around in _PATCHES.items():
            patch(backend, name, functools.partial(_patched, around))
        for name, attribute in _ATTRIBUTES.items():
            setattr(backend, name, attribute)
        patch_queries(backend)


def _patched(around: Callable[..., Any], original: Method) -> Method:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return around(self, functools.partial(original, self), *args, **kwargs)

    return method


def _flag(wrapper: Any) -> bool:
    # Inside of our block, each of the backend's blocks begins and ends separately, so that none can
    # fail unnoticed; its own counting of nested blocks would hide that.
    if _joined(wrapper) is not None:
        return False
    return bool(wrapper.__dict__.get(_FLAG, False))


def _set_flag(wrapper: Any, value: bool) -> None:
    wrapper.__dict__[_FLAG] = value


def _start(wrapper: Any, original: Callable[[], None]) -> None:
    if _joined(wrapper) is None:
        original()
        vars(_here)[wrapper.alias] = wrapper


def _commit(wrapper: Any, original: Callable[[], None]) -> None:
    if _joined(wrapper) is not None:
        return
    attached: ActiveTransaction | None = wrapper.__dict__.get(_ATTACHED)
    if attached is not None and attached.rollback_only:
        wrapper.rollback_mongo()
        if (error := commit.rolled_back(attached, None).error) is not None:
            raise error
        return
    session = wrapper.session
    try:
        with _ending(wrapper):
            original()
    except BaseException as error:
        if session is not None and wrapper.session is session:
            _forget(wrapper)
            if attached is not None:
                attached.outcome = "unknown" if is_unknown_commit(error) else "rolled back"
                attached.hooks.run(attached.outcome)
        raise


def _roll_back(wrapper: Any, original: Callable[[], None]) -> None:
    joined = _joined(wrapper)
    if joined is not None:
        joined.mark_rollback_only(reason(joined))
        return
    attached: ActiveTransaction | None = wrapper.__dict__.get(_ATTACHED)
    try:
        with _ending(wrapper):
            original()
    finally:
        _forget(wrapper)
    if attached is not None:
        attached.outcome = "rolled back"
        attached.hooks.run(attached.outcome)


def _django_roll_back(wrapper: Any, original: Callable[[], None]) -> None:
    # Django's atomic, which does nothing on the backend, failed inside of a real one.
    transaction = state.innermost(_key(wrapper))
    if transaction is not None:
        transaction.mark_rollback_only(reason(transaction))
    original()


def _on_commit(
    wrapper: Any, original: Callable[..., None], func: hooks.Callback, robust: bool = False
) -> None:
    joined = _joined(wrapper)
    if joined is not None:
        register("on_commit", joined, func, robust=robust)
    elif wrapper.in_atomic_block_mongo or not callable(func):
        original(func, robust)
    else:
        original(hooks.waiting_call(func), robust)


def _run_commit_hooks(wrapper: Any, original: Callable[[], None]) -> None:
    ended = ENDING.get()
    if ended is not None and ended.owner is wrapper:
        ended.outcome = "committed"
        ended.hooks.run("committed")
    wrapper.run_on_commit = [
        (savepoints, hooks.waiting_call(callback), robust)
        for savepoints, callback, robust in wrapper.run_on_commit
    ]
    original()


def _waiting(wrapper: Any) -> Any:
    joined = _joined(wrapper)
    return wrapper.__dict__.setdefault(_HOOKS, []) if joined is None else commit_hooks(joined)


def _set_waiting(wrapper: Any, waiting: Any) -> None:
    # Connecting sets it, perhaps inside of a block that another thread began.
    wrapper.__dict__[_HOOKS] = waiting


def _new_connection(wrapper: Any, original: Callable[..., Any], parameters: Any) -> Any:
    return clients.watch(original(parameters), _key(wrapper))


def _first_commands(wrapper: Any, original: Callable[[], None]) -> None:
    # The backend queries the server's version, which is impossible in a transaction.
    with state.outside():
        original()


def _database(wrapper: Any) -> Any:
    """The database with the current name in ``settings_dict``, which for example Django's test
    runner changes."""
    if wrapper.connection is None:
        wrapper.connect()
    known = wrapper.__dict__.get(_DATABASE)
    name = wrapper.settings_dict["NAME"]
    if known is None or known.name != name or known.client is not wrapper.connection:
        known = wrapper.__dict__[_DATABASE] = wrapper.connection[name]
    return known


def _set_database(wrapper: Any, database: Any) -> None:
    wrapper.__dict__[_DATABASE] = database


def _forget_database(wrapper: Any) -> None:
    wrapper.__dict__.pop(_DATABASE, None)


database_by_name = property(_database, _set_database, _forget_database)
"""The Database with the current name in ``settings_dict``."""

_PATCHES: dict[str, Callable[..., Any]] = {
    "get_new_connection": _new_connection,
    "init_connection_state": _first_commands,
    "start_transaction_mongo": _start,
    "commit_mongo": _commit,
    "rollback_mongo": _roll_back,
    "_rollback": _django_roll_back,
    "on_commit": _on_commit,
    "run_and_clear_commit_hooks": _run_commit_hooks,
}
_ATTRIBUTES = {
    _FLAG: property(_flag, _set_flag),
    _HOOKS: property(_waiting, _set_waiting),
    _DATABASE: database_by_name,
}
"""Methods that replace the backend's own, which each wrapper has."""


def _key(wrapper: Any) -> Key:
    return ("DATABASES", wrapper.alias)


def _joined(wrapper: Any) -> ActiveTransaction | None:
    """The transaction of the context, unless this wrapper itself began it."""
    transaction = state.innermost(_key(wrapper))
    return None if transaction is None or transaction.owner is wrapper else transaction


def reason(transaction: ActiveTransaction) -> BaseException:
    """The exception that leaves the block which is ending."""
    return sys.exc_info()[1] or transaction.failure or RuntimeError("an inner block failed")


@contextlib.contextmanager
def _ending(wrapper: Any) -> Iterator[None]:
    attached: ActiveTransaction | None = wrapper.__dict__.pop(_ATTACHED, None)
    if attached is None:
        yield
        return
    attached.ended = True
    token = ENDING.set(attached)
    try:
        yield
    finally:
        ENDING.reset(token)
        clients.release_linked_sessions(attached)


def _forget(wrapper: Any) -> None:
    """Remove all traces of a failed transaction, so that the next one is a real one."""
    session, wrapper.session = wrapper.session, None
    wrapper.run_on_commit = []
    if session is not None:
        session.end_session()
