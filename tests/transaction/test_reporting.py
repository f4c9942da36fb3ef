"""The log, the signals, the tracer, and the settings."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pymongo.database import Database
from pymongo.errors import OperationFailure

from djongo_services.conf import settings as ours
from djongo_services.transaction import (
    run_in_transaction,
    transaction_finished,
    transaction_retried,
)
from tests.conftest import RunDjango
from tests.processes import python_path
from tests.transaction.conftest import failing

Mongo = Database[dict[str, Any]]


@pytest.fixture
def sent() -> Iterator[list[dict[str, Any]]]:
    sent: list[dict[str, Any]] = []

    def receive(sender: Any, **given: Any) -> None:
        sent.append(given)

    transaction_finished.connect(receive)
    transaction_retried.connect(receive)
    yield sent
    transaction_finished.disconnect(receive)
    transaction_retried.disconnect(receive)


def test_signals_and_log(
    mongo: Mongo, sent: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    mongo.a.insert_one({})
    transient = {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}
    with (
        caplog.at_level(logging.DEBUG, "djongo_services.transaction"),
        failing(mongo.client, "insert", times=1, **transient),
    ):
        run_in_transaction(lambda: mongo.a.insert_one({}))
    rolled_back, retried, committed = sent
    assert (rolled_back["outcome"], rolled_back["attempt"]) == ("rolled back", 1)
    assert isinstance(rolled_back["reason"], OperationFailure)
    assert (retried["using"], retried["attempt"]) == ("default", 2)
    assert (committed["outcome"], committed["attempt"], committed["reason"]) == (
        "committed",
        2,
        None,
    )
    assert committed["wrote"] is True
    assert 0 < committed["duration"] < 60
    record = caplog.records[-1]
    assert record.levelname == "DEBUG"
    assert record.message.startswith("Transaction on 'default' committed after ")
    assert (record.using, record.outcome, record.attempt) == ("default", "committed", 2)  # type: ignore[attr-defined]  # the extra fields
    assert [each.levelname for each in caplog.records] == ["INFO", "INFO", "DEBUG"]


def test_spans_follow_the_driver_specification(django_sql: RunDjango, database: Mongo) -> None:
    done = django_sql(
        code="""
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
from djongo_services.transaction import atomic
with atomic():
    with trace.get_tracer("test").start_as_current_span("inside"):
        pass
try:
    with atomic():
        1 / 0
except ZeroDivisionError:
    pass
inside, committed, failed = exporter.get_finished_spans()
assert inside.parent.span_id == committed.context.span_id
assert (committed.name, committed.kind.name) == ("transaction", "CLIENT")
assert dict(committed.attributes) == {"db.system": "mongodb"}
assert failed.status.status_code.name == "ERROR"
assert failed.events[0].attributes["exception.type"] == "ZeroDivisionError"
assert failed.parent is None
print("fine")
"""
    )
    assert done.stdout == "fine\n", done.stderr


def test_spans_need_nothing_installed(django_sql: RunDjango, tmp_path: Path) -> None:
    (tmp_path / "opentelemetry.py").write_text("raise ImportError\n")
    done = django_sql(
        code="""
from djongo_services.connections import connections
from djongo_services.transaction import atomic, reporting
assert reporting.trace is None
with atomic():
    connections["default"].database.spans.find_one()
print("fine")
""",
        env={"PYTHONPATH": python_path(tmp_path)},
    )
    assert done.stdout == "fine\n", done.stderr


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"RETRIES": 1}, "unknown key 'RETRIES'; known keys are STANDALONE, MAX_ATTEMPTS"),
        ({"STANDALONE": "off"}, "must be one of 'error', 'single-document', not 'off'"),
        ({"MAX_ATTEMPTS": 1.5}, "must be a whole number"),
        ({"MAX_ATTEMPTS": 0}, "must be a number above 0, not 0"),
        ({"TIMEOUT": "1"}, "must be a number above 0, not '1'"),
        ({"COMMIT_TIMEOUT": True}, "must be a number above 0, not True"),
        ([], "must be a dict, not list"),
    ],
)
def test_settings_say_what_is_wrong(settings: Any, given: Any, sentence: str) -> None:
    settings.DJONGO_SERVICES = {"TRANSACTION": given}
    with pytest.raises(ImproperlyConfigured, match=r'DJONGO_SERVICES\["TRANSACTION"\]') as caught:
        ours.transaction  # noqa: B018  (reading it checks it)
    assert sentence in str(caught.value)


def test_settings_have_defaults(settings: Any) -> None:
    settings.DJONGO_SERVICES = {"TRANSACTION": {"TIMEOUT": 5}}
    assert ours.transaction.timeout == 5
    assert ours.transaction.max_attempts == 10
    assert ours.transaction.standalone == "error"
