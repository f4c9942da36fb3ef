"""Together with popular packages, transactions commit, roll back, run their callbacks and retry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.transaction.packages.conftest import Prove, SetUp

MIGRATE = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""
SENTRY = """
import sentry_sdk
events = []
class Transport(sentry_sdk.transport.Transport):
    def capture_envelope(self, envelope):
        events.extend(item.type for item in envelope.items)
sentry_sdk.init(dsn="http://key@127.0.0.1/1", traces_sample_rate=1.0, transport=Transport)
"""
SENTRY_SAW = """
assert events.count("event") >= 2, events  # the two views that raised
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_sentry_sdk(run: Callable[..., str], when: str) -> None:
    start = f"{SENTRY}{SetUp}" if when == "before" else f"{SetUp}{SENTRY}"
    assert run(f"{start}{Prove}{SENTRY_SAW}") == "proven\n"


def test_django_silk(run: Callable[..., str]) -> None:
    saw = """
from silk.models import Request
assert Request.objects.filter(path="/write/").count() == 2, list(Request.objects.values("path"))
"""
    assert (
        run(
            f"{SetUp}{MIGRATE}{Prove}{saw}",
            INSTALLED_APPS=["silk", "django.contrib.sessions"],
            MIDDLEWARE=["silk.middleware.SilkyMiddleware"],
            SILKY_PYTHON_PROFILER=True,
        )
        == "proven\n"
    )


@pytest.mark.parametrize("profiling", [False, True])
def test_django_debug_toolbar(run: Callable[..., str], profiling: bool) -> None:
    saw = """
from django.test import Client
assert b"djDebug" in Client().get("/page/").content
"""
    everything: dict[str, Any] = {"DISABLE_PANELS": []} if profiling else {}
    assert (
        run(
            f"{SetUp}{MIGRATE}{Prove}{saw}",
            INSTALLED_APPS=["debug_toolbar"],
            MIDDLEWARE=["debug_toolbar.middleware.DebugToolbarMiddleware"],
            ROOT_URLCONF="tests.transaction.packages.toolbar_urls",
            DEBUG_TOOLBAR_CONFIG={
                "SHOW_TOOLBAR_CALLBACK": "tests.transaction.packages.toolbar_urls.show",
                "IS_RUNNING_TESTS": False,
                **everything,
            },
            DEBUG=True,
        )
        == "proven\n"
    )


def test_django_prometheus(run: Callable[..., str]) -> None:
    saw = """
from prometheus_client import REGISTRY
counted = REGISTRY.get_sample_value(
    "django_http_responses_total_by_status_total", {"status": "500"})
assert counted == 6, counted
"""
    assert (
        run(
            f"{SetUp}{Prove}{saw}",
            INSTALLED_APPS=["django_prometheus"],
            MIDDLEWARE=[
                "django_prometheus.middleware.PrometheusBeforeMiddleware",
                "django_prometheus.middleware.PrometheusAfterMiddleware",
            ],
        )
        == "proven\n"
    )


@pytest.mark.parametrize("when", ["before", "after"])
def test_opentelemetrys_instrumentation_of_pymongo(run: Callable[..., str], when: str) -> None:
    start = """
from opentelemetry import trace
from opentelemetry.instrumentation.pymongo import PymongoInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
PymongoInstrumentor().instrument()
"""
    saw = """
names = {span.name for span in exporter.get_finished_spans()}
assert "transaction" in names, names
assert any("insert" in name for name in names), names
"""
    code = f"{start}{SetUp}" if when == "before" else f"{SetUp}{start}"
    assert run(f"{code}{Prove}{saw}") == "proven\n"
