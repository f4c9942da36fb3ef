"""System checks of settings that contradict the engine."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.db import connections as databases
from django.db import models
from django.db.models import F, Func, Q
from django.test.utils import isolate_apps
from django_mongodb_backend.models import EmbeddedModel

from djongo_services import database_names
from djongo_services.engine_checks import check_models_on_the_engine
from djongo_services.schema.options import collection_options

OURS = "djongo_services.middleware.MongoTransactionMiddleware"


def found(**options: Any) -> list[tuple[str, str]]:
    """The identifiers, and the messages, of what the engine's checks say."""
    # From Django 6.1 on, no databases at all means every one.
    said = run_checks(**{"databases": [], **options})
    return [(one.id.removeprefix("djongo_services."), one.msg) for one in said]


def only(number: str) -> str:
    ((identifier, message),) = found()
    assert identifier == number
    return message


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``change("default", ATOMIC_REQUESTS=True)``: in DATABASES, also of an alias that is new."""

    new = set()

    def change(alias: str, **entries: Any) -> None:
        if alias not in databases.settings:
            new.add(alias)
        elif alias in new:
            del databases[alias]
        known = databases.settings.get(alias) or databases.settings["default"]
        monkeypatch.setitem(databases.settings, alias, {**known, **entries})

    yield change
    for alias in new:
        del databases[alias]


def test_settings_that_agree() -> None:
    assert found() == []


class TestSavepoints:
    def test_that_are_off_have_no_log(self, settings: Any) -> None:
        settings.DJONGO_SERVICES = {"TRANSACTION": {"SAVEPOINTS": "off"}}
        assert found() == []
        settings.DJONGO_SERVICES = {"TRANSACTION": {"SAVEPOINTS": "off", "SAVEPOINT_LOG": 1}}
        assert '["SAVEPOINT_LOG"] has no effect: SAVEPOINTS is "off"' in only("W032")

    def test_of_the_stock_backend(self, settings: Any, change: Any) -> None:
        for alias in ("default", "other"):
            change(alias, ENGINE="django_mongodb_backend")
        assert found() == []
        settings.DJONGO_SERVICES = {"TRANSACTION": {"SAVEPOINTS": "replay"}}
        assert "no alias of DATABASES has ENGINE" in only("W032")


def test_the_stock_backend_on_the_same_server(change: Any) -> None:
    change("stock", ENGINE="django_mongodb_backend", NAME="elsewhere")
    assert 'DATABASES["stock"] is on the same server as DATABASES["default"]' in only("W025")
    change("stock", HOST="mongodb://db.example/")
    assert found() == []


class TestAttempts:
    def test_within_atomic_requests(self, settings: Any, change: Any) -> None:
        settings.MIDDLEWARE = [OURS]
        settings.DJONGO_SERVICES = {"TRANSACTION": {"MIDDLEWARE": {"ATTEMPTS": 3}}}
        assert found() == []
        change("default", ATOMIC_REQUESTS=True)
        assert '["ATTEMPTS"] is 3' in only("W027")

    def test_atomic_requests_without_them(self, settings: Any, change: Any) -> None:
        settings.MIDDLEWARE = [OURS]
        change("default", ATOMIC_REQUESTS=True)
        assert found() == []


def test_a_connection_with_a_client_of_its_own(settings: Any) -> None:
    known = databases.settings["default"]
    own = {"HOST": known["HOST"], "NAME": known["NAME"]}
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": own}}
    numbers = dict(found())
    assert "has a client of its own for the database" in numbers["W028"]
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": {**own, "NAME": "elsewhere"}}}
    assert found() == []
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": {"DATABASE": "default"}}}
    assert found() == []


def test_a_test_database_that_is_a_real_one(change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    change("other", TEST={})
    change("default", TEST={"NAME": databases.settings["other"]["NAME"]})
    assert found() == []  # In a test run each test database has the name of its connection.
    monkeypatch.setattr(database_names, "is_testing", lambda: False)
    assert "a test run would drop it" in only("E029")
    change("default", TEST={"NAME": "engine_tests"})
    assert found() == []


@pytest.mark.parametrize("where", ["HOST", "OPTIONS"])
def test_unacknowledged_writes(change: Any, where: str) -> None:
    host = databases.settings["default"]["HOST"]
    value = {"HOST": f"{host}&w=0", "OPTIONS": {"w": 0}}[where]
    change("default", **{where: value})
    assert "write concern w=0" in only("E030")


class TestConstraints:
    def said(self, *, constraint: Any = None, rules: Any = None, **options: Any) -> list[str]:
        condition = constraint or Q(stock__gte=0)
        with isolate_apps("tests.engine.shop") as isolated:

            @collection_options(rules=rules, **options)
            class Limited(models.Model):
                at = models.DateTimeField()
                stock = models.IntegerField()

                class Meta:
                    app_label = "shop"
                    constraints = [models.CheckConstraint(condition=condition, name="limited")]

            config = isolated.get_app_config("shop")
            return [
                f"{one.id} {one.msg}" for one in check_models_on_the_engine(app_configs=[config])
            ]

    def test_that_are_enforced(self) -> None:
        assert self.said() == []

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"rules": "off"}, 'The rules of the model are "off"'),
            ({"validation_level": "off"}, 'validation_level="off"'),
            ({"validation_action": "warn"}, 'validation_action="warn"'),
            ({"time_series": "at"}, "A time-series collection cannot have a validator."),
            ({"view": True}, "A view cannot have a validator."),
        ],
    )
    def test_that_are_not(self, options: dict[str, Any], reason: str) -> None:
        (said,) = self.said(**options)
        assert said.startswith(
            "djongo_services.W026 Check constraints (limited) are not enforced on the engine."
        )
        assert reason in said

    def test_of_a_project_without_rules(self, settings: Any) -> None:
        settings.DJONGO_SERVICES = {"SCHEMA": {"RULES": "off"}}
        (said,) = self.said()
        assert 'The rules of the model are "off"' in said

    def test_that_cannot_be_translated(self) -> None:
        condition = Q(stock__gt=Func(F("stock"), function="SOUNDEX"))
        (said,) = self.said(constraint=condition)
        assert said.startswith("djongo_services.W026 The check constraint limited is not enforced")
        assert "The server cannot check it" in said


def test_embedded_models_without_the_router(settings: Any) -> None:
    with isolate_apps("tests.engine.shop") as isolated:

        class Inner(EmbeddedModel):
            text = models.TextField()

            class Meta:
                app_label = "shop"

        config = isolated.get_app_config("shop")
        # The router asks for models by name, of all apps.
        with pytest.MonkeyPatch.context() as patched:
            patched.setitem(apps.get_app_config("shop").models, "inner", Inner)
            assert check_models_on_the_engine(app_configs=[config]) == []
        settings.DATABASE_ROUTERS = []
        (said,) = check_models_on_the_engine(app_configs=[config])
    assert said.id == "djongo_services.W031"
    assert "such as shop.Inner" in said.msg
