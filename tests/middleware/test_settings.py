"""TRANSACTION["MIDDLEWARE"] and the system checks."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections as databases
from django.test import RequestFactory
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from djongo_services.middleware import MongoTransactionMiddleware, server_errors
from djongo_services.transaction.requests.settings import middleware_settings
from tests.middleware.conftest import OURS

SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
REMOTE_USER = "django.contrib.auth.middleware.RemoteUserMiddleware"


def configure(settings: Any, **middleware: Any) -> None:
    settings.DJONGO_SERVICES = {"TRANSACTION": {"MIDDLEWARE": middleware}}


def test_defaults(settings: Any) -> None:
    settings.DJONGO_SERVICES = {}
    found = middleware_settings()
    assert list(found.aliases) == ["default"]
    alias = found.aliases["default"]
    assert (alias.transaction, alias.safe_methods, alias.options.given()) == (True, "session", [])
    assert (found.attempts, found.rendering, found.body_limit) == (1, False, 1024 * 1024)
    assert (found.read_your_writes, found.read_your_writes_max_age) == (None, 60)
    assert found.rollback_on is server_errors


def test_options_of_an_alias(settings: Any) -> None:
    own = {"READ_CONCERN": "majority", "WRITE_CONCERN": {"w": 2}, "SAFE_METHODS": "snapshot"}
    configure(settings, ALIASES={"default": own})
    alias = middleware_settings().aliases["default"]
    assert alias.options.read_concern == ReadConcern("majority")
    assert alias.options.write_concern == WriteConcern(w=2)
    assert alias.safe_methods == "snapshot"


WRONG: list[tuple[Any, str]] = [
    ({"NONSENSE": 1}, "has the unknown key 'NONSENSE'"),
    ({"SAFE_METHODS": "never"}, "must be one of 'session', 'snapshot', 'transaction'"),
    ({"USING": "default"}, "must be a list of connections"),
    ({"USING": 7}, "must be a list of connections"),
    ({"USING": ["gone"]}, "names the connection 'gone', which does not exist"),
    ({"ALIASES": ["default"]}, "must be a dict by connection"),
    ({"ALIASES": {"gone": {}}}, "names 'gone', which requests do not use"),
    ({"ALIASES": {"default": []}}, '["default"] must be a dict, not list'),
    ({"ALIASES": {"default": {"X": 1}}}, "has the unknown key 'X'"),
    ({"ALIASES": {"default": {"READ_CONCERN": "lenient"}}}, '["READ_CONCERN"] must be'),
    ({"ALIASES": {"default": {"WRITE_CONCERN": "majority"}}}, '["WRITE_CONCERN"] must be a dict'),
    ({"ALIASES": {"default": {"WRITE_CONCERN": {"w": -1}}}}, '["WRITE_CONCERN"] must be a dict'),
    ({"ALIASES": {"default": {"MAX_COMMIT_TIME": 0}}}, '["MAX_COMMIT_TIME"] must be a number'),
    ({"ALIASES": {"default": {"TRANSACTION": 1}}}, '["TRANSACTION"] must be True or False'),
    ({"ROLLBACK_ON": "nowhere.function"}, '["ROLLBACK_ON"]: No module named'),
    ({"ROLLBACK_ON": 500}, "must be a function of request and response"),
    ({"RENDERING": "yes"}, '["RENDERING"] must be True or False'),
    ({"ATTEMPTS": 0}, '["ATTEMPTS"] must be a whole number from 1 on'),
    ({"BODY_LIMIT": -1}, '["BODY_LIMIT"] must be a whole number from 0 on'),
    ({"READ_YOUR_WRITES": "header"}, 'must be "cookie", "session" or None'),
    ({"READ_YOUR_WRITES_MAX_AGE": -1}, '["READ_YOUR_WRITES_MAX_AGE"] must be a number above 0'),
]


@pytest.mark.parametrize(("middleware", "sentence"), WRONG)
def test_what_is_wrong_is_named(settings: Any, middleware: Any, sentence: str) -> None:
    configure(settings, **middleware)
    with pytest.raises(ImproperlyConfigured) as raised:
        middleware_settings()
    assert sentence in str(raised.value)
    with pytest.raises(ImproperlyConfigured):
        MongoTransactionMiddleware(lambda request: None)
    assert [message.id for message in ours()] == ["djongo_services.E002"]


def test_a_middleware_setting_that_is_no_dict(settings: Any) -> None:
    settings.DJONGO_SERVICES = {"TRANSACTION": {"MIDDLEWARE": ["default"]}}
    with pytest.raises(ImproperlyConfigured, match="must be a dict, not list"):
        middleware_settings()


def test_a_changed_setting_is_seen(settings: Any) -> None:
    configure(settings, ATTEMPTS=2)
    middleware = MongoTransactionMiddleware(lambda request: None)
    assert middleware.policy().settings.attempts == 2
    assert middleware.policy() is middleware.policy()
    configure(settings, ATTEMPTS=3)
    assert middleware.policy().settings.attempts == 3


def test_methods_that_clients_make_up_are_not_kept(settings: Any) -> None:
    settings.DJONGO_SERVICES = {}
    policy = MongoTransactionMiddleware(lambda request: None).policy()

    def view(request: Any) -> None:
        pass

    for number in range(5):
        request = RequestFactory().generic(f"MADEUP{number}", "/")
        assert policy.treatment(view, request.method).blocks
    assert len(policy._known[view]) == 1


def ours() -> list[Any]:
    # From Django 6.1 on, no databases at all means every one.
    return [one for one in run_checks(databases=[]) if one.id.startswith("djongo_services")]


def test_a_right_place_passes(settings: Any) -> None:
    settings.MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        OURS,
        SESSIONS,
        "django.middleware.common.CommonMiddleware",
    ]
    assert ours() == []


def test_listed_twice(settings: Any) -> None:
    settings.MIDDLEWARE = [OURS, "tests.middleware.test_settings.Own"]
    (found,) = ours()
    assert found.id == "djongo_services.W008"
    assert "is listed 2 times" in found.msg


class Own(MongoTransactionMiddleware):
    pass


@pytest.mark.parametrize("outside", [SESSIONS, REMOTE_USER])
def test_too_far_in(settings: Any, outside: str) -> None:
    settings.MIDDLEWARE = [outside, OURS]
    (found,) = ours()
    assert found.id == "djongo_services.W009"
    assert outside.rpartition(".")[2] in found.msg
    assert f'before "{outside}"' in found.hint


def test_sessions_that_are_not_in_the_database_do_not_matter(settings: Any) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    settings.MIDDLEWARE = [SESSIONS, OURS]
    assert ours() == []


def test_a_token_in_the_session_needs_the_session(settings: Any) -> None:
    configure(settings, READ_YOUR_WRITES="session")
    settings.MIDDLEWARE = [SESSIONS, OURS]
    assert ours() == []
    settings.MIDDLEWARE = [OURS, SESSIONS]
    (found,) = ours()
    assert found.id == "djongo_services.W009"
    assert "no session to keep the token in" in found.msg


def test_a_wrong_setting_is_said_once(settings: Any) -> None:
    settings.DJONGO_SERVICES = {"NONSENSE": 1}
    settings.MIDDLEWARE = [OURS]
    assert [found.id for found in ours()] == ["djongo_services.E002"]


def test_atomic_requests_that_do_nothing(settings: Any, monkeypatch: Any) -> None:
    monkeypatch.setitem(databases.settings["default"], "ATOMIC_REQUESTS", True)
    monkeypatch.setitem(databases.settings["sql"], "ATOMIC_REQUESTS", True)
    (found,) = ours()
    assert found.id == "djongo_services.W007"
    assert found.obj == 'DATABASES["default"]'
    assert OURS in found.hint
