"""The backend's connections (django-mongodb-backend), taught to take part.

The backend keeps a transaction's state in its DatabaseWrapper, one per thread, where a thread or
task that joined a block cannot see it. So the wrapper's class learns to look at the context
first. Outside of our blocks it does what it always did, except that its own failed commit no
longer leaves a dead session behind for the next transaction of the thread.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.db import connections as databases
from django.db.backends.signals import connection_created

from djongo_services.connections import Connection
from djongo_services.transaction import driver, ending, hooks, state
from djongo_services.transaction.errors import is_unknown_commit
from djongo_services.transaction.state import ENDING, Key, Options, Transaction

_FLAG = "in_atomic_block_mongo"
_ADOPTED = "_djongo_services_adopted"
_taught: set[type[Any]] = set()
_lock = threading.Lock()
_here = threading.local()
"""By alias, this thread's wrapper once its own atomic has begun a transaction."""


def watch_connections() -> None:
    """Teach the connections that exist, and each further one when it connects."""
    connection_created.connect(_on_connection, dispatch_uid="djongo_services.transaction")
    if not settings.configured:
        return  # Then there are none, and whoever uses a bucket alone needs no settings.
    for wrapper in databases.all(initialized_only=True):
        if wrapper.connection is not None:
            _on_connection(sender=type(wrapper), connection=wrapper)


def pooled_client(alias: str) -> Any:
    """The backend's client of a DATABASES alias if it is connected and watched, or None."""
    client = databases[alias]._connection_pools.get(alias)  # type: ignore[attr-defined]  # backend
    return client if driver.key_of(client) is not None else None


def adopt(connection: Connection) -> Transaction | None:
    """The transaction that the backend's own atomic has open in this thread, as one of ours."""
    if connection.settings.database is None:
        return None
    return _adopt(databases[connection.settings.database], connection.alias)


def adopt_for(key: Key) -> Transaction | None:
    """The same for the clients of a key, where nobody has asked for a connection yet."""
    if key[0] != "DATABASES" or not may_have_begun_here(key[1]):
        return None
    return _adopt(databases[key[1]], key[1])


def _adopt(wrapper: Any, alias: str) -> Transaction | None:
    if not wrapper.in_atomic_block_mongo or wrapper.session is None:
        return None
    adopted: Transaction | None = wrapper.__dict__.get(_ADOPTED)
    if adopted is None or adopted.session is not wrapper.session:
        adopted = Transaction(
            key=_key(wrapper),
            alias=alias,
            database=wrapper.settings_dict["NAME"],
            options=Options(),
            transactional=True,
        )
        adopted.owner = wrapper
        adopted.session = wrapper.session
        adopted.sessions[wrapper.session.client] = wrapper.session
        state.attach(wrapper.session, adopted)
        setattr(wrapper, _ADOPTED, adopted)
    return adopted


def may_have_begun_here(alias: str) -> bool:
    """Whether the backend's own atomic may be open in this thread, without asking Django for the
    thread's wrapper, which takes some microseconds and makes one that may not be needed."""
    wrapper = vars(_here).get(alias)
    return wrapper is not None and wrapper.session is not None


def register(
    event: str, transaction: Transaction, callback: hooks.Callback, *, robust: bool
) -> None:
    """Keep a callback for the outcome; the backend runs what follows a commit of its own."""
    if transaction.owner is None or event != "on_commit":
        transaction.hooks.add(event, callback, robust=robust)
    else:
        hook = hooks.make_hook(event, callback, robust=robust)
        run = functools.partial(hooks.run, [hook])
        transaction.owner.run_on_commit.append(([], run, robust))


def _on_connection(*, sender: Any, connection: Any, **kwargs: Any) -> None:
    if connection.vendor == "mongodb":
        driver.watch(connection.connection, _key(connection))
        _teach(type(connection))


def _teach(wrapper_class: type[Any]) -> None:
    """Once per class that defines the backend's transactions, for it and its subclasses."""
    backend = next(
        each for each in reversed(wrapper_class.__mro__) if "start_transaction_mongo" in vars(each)
    )
    with _lock:
        if backend in _taught:
            return
        _taught.add(backend)
        for name, around in _LESSONS.items():
            setattr(backend, name, _taught_method(getattr(backend, name), around))
        setattr(backend, _FLAG, property(_flag, _set_flag))


def _taught_method(original: Callable[..., Any], around: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return around(self, functools.partial(original, self), *args, **kwargs)

    return method


def _flag(wrapper: Any) -> bool:
    # Inside of our block each of the backend's blocks is to begin and end for itself, so that
    # none can fail unseen; its own counting of nested blocks would swallow that.
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
    adopted: Transaction | None = wrapper.__dict__.get(_ADOPTED)
    if adopted is not None and adopted.rollback_only:
        wrapper.rollback_mongo()
        if (error := ending.rolled_back(adopted, None).error) is not None:
            raise error
        return
    session = wrapper.session
    try:
        with _ending(wrapper):
            original()
    except BaseException as error:
        if session is not None and wrapper.session is session:
            _forget(wrapper)
            if adopted is not None and not is_unknown_commit(error):
                hooks.run(adopted.hooks.take("rolled back"))
        raise


def _roll_back(wrapper: Any, original: Callable[[], None]) -> None:
    joined = _joined(wrapper)
    if joined is not None:
        joined.doom(_reason(joined))
        return
    adopted: Transaction | None = wrapper.__dict__.get(_ADOPTED)
    try:
        with _ending(wrapper):
            original()
    finally:
        _forget(wrapper)
    if adopted is not None:
        hooks.run(adopted.hooks.take("rolled back"))


def _django_roll_back(wrapper: Any, original: Callable[[], None]) -> None:
    # Django's atomic, which the backend makes a no-op, failed inside of a real one.
    transaction = state.innermost(_key(wrapper))
    if transaction is not None:
        transaction.doom(_reason(transaction))
    original()


def _on_commit(
    wrapper: Any, original: Callable[..., None], func: hooks.Callback, robust: bool = False
) -> None:
    joined = _joined(wrapper)
    if joined is None:
        original(func, robust)
    else:
        register("on_commit", joined, func, robust=robust)


_LESSONS: dict[str, Callable[..., Any]] = {
    "start_transaction_mongo": _start,
    "commit_mongo": _commit,
    "rollback_mongo": _roll_back,
    "_rollback": _django_roll_back,
    "on_commit": _on_commit,
}


def _key(wrapper: Any) -> Key:
    return ("DATABASES", wrapper.alias)


def _joined(wrapper: Any) -> Transaction | None:
    """The transaction of the context, unless this wrapper itself began it."""
    transaction = state.innermost(_key(wrapper))
    return None if transaction is None or transaction.owner is wrapper else transaction


def _reason(transaction: Transaction) -> BaseException:
    """The exception that is leaving the block whose end we are told of."""
    return sys.exc_info()[1] or transaction.failure or RuntimeError("an inner block failed")


@contextlib.contextmanager
def _ending(wrapper: Any) -> Iterator[None]:
    adopted: Transaction | None = wrapper.__dict__.pop(_ADOPTED, None)
    if adopted is None:
        yield
        return
    adopted.ended = True
    token = ENDING.set(adopted)
    try:
        yield
    finally:
        ENDING.reset(token)
        driver.let_go_of_twins(adopted)


def _forget(wrapper: Any) -> None:
    """Leave nothing of a failed transaction behind; the next one is to be a real one."""
    session, wrapper.session = wrapper.session, None
    wrapper.run_on_commit = []
    if session is not None:
        session.end_session()
