"""A version of PyMongo that works otherwise is refused, instead of working without transactions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import AsyncMongoClient, MongoClient
from pymongo.client_session import ClientSession

from djongo_services.transaction.driver_checks import refuse_unknown_pymongo


@pytest.mark.parametrize("client_class", [MongoClient, AsyncMongoClient])
def test_this_version_is_known(client_class: Any) -> None:
    refuse_unknown_pymongo(client_class)
    refuse_unknown_pymongo(type("Subclass", (client_class,), {}))


@pytest.mark.parametrize(
    "name", ["_get_bound_session", "_retry_internal", "_process_response", "_start_session"]
)
@pytest.mark.parametrize("client_class", [MongoClient, AsyncMongoClient])
def test_a_method_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, client_class: Any, name: str
) -> None:
    monkeypatch.delattr(client_class, name)
    with pytest.raises(RuntimeError, match=rf"has no \w+\.{name}, .* install a version from 4.17"):
        refuse_unknown_pymongo(client_class)


def test_an_attribute_of_sessions_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "_starting_transaction"
    owner = next(each for each in ClientSession.__mro__ if name in vars(each))
    monkeypatch.delattr(owner, name)
    with pytest.raises(RuntimeError, match=r"has no ClientSession\._starting_transaction"):
        refuse_unknown_pymongo(MongoClient)


def test_a_method_of_transactions_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    with MongoClient[Any](connect=False) as client:
        monkeypatch.delattr(type(client.start_session()._transaction), "reset")
    with pytest.raises(RuntimeError, match=r"has no _Transaction\.reset, .* from 4.17"):
        refuse_unknown_pymongo(MongoClient)


def test_a_method_that_is_no_longer_called(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def otherwise(self: Any, session: Any) -> Iterator[Any]:
        yield session

    monkeypatch.setattr(MongoClient, "_tmp_session", otherwise)
    with pytest.raises(RuntimeError, match=r"does not call MongoClient\._get_bound_session"):
        refuse_unknown_pymongo(MongoClient)
