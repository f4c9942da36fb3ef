"""Packages that wrap, replace or restore the method of Django that this package wraps."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.transaction.packages.conftest import Prove, SetUp

WRAP = """
import functools
from django.core.handlers.base import BaseHandler
original = BaseHandler.make_view_atomic
@functools.wraps(original)
def wrapper(self, *args, **kwargs):
    return original(self, *args, **kwargs)
BaseHandler.make_view_atomic = wrapper
"""
HIDE = WRAP.replace("@functools.wraps(original)\n", "")
REPLACE = """
import functools
from django.core.handlers.base import BaseHandler
@functools.wraps(BaseHandler.make_view_atomic)
def replacement(self, view):
    return view
BaseHandler.make_view_atomic = replacement
"""
OVERRIDE = """
from django.test import client
def make_view_atomic(self, view):
    return view
client.ClientHandler.make_view_atomic = make_view_atomic
client.AsyncClientHandler.make_view_atomic = make_view_atomic
"""
SERVE_ONE = """
from django.test import Client
Client().get("/write/")
"""


@pytest.mark.parametrize(
    ("change", "when"),
    [
        pytest.param(WRAP, "before", id="wrapped before"),
        pytest.param(WRAP, "after", id="wrapped after"),
        pytest.param(HIDE, "before", id="wrapped without a trace before"),
        pytest.param(HIDE, "later", id="wrapped without a trace later"),
        pytest.param(REPLACE, "before", id="replaced before"),
        pytest.param(REPLACE, "later", id="replaced later"),
        pytest.param(OVERRIDE, "after", id="overridden in subclasses"),
    ],
)
def test_transactions_stay_in_force(run: Callable[..., str], change: str, when: str) -> None:
    code = {
        "before": f"{change}{SetUp}{Prove}",
        "after": f"{SetUp}{change}{Prove}",
        "later": f"{SetUp}{SERVE_ONE}{change}{Prove}",
    }[when]
    assert run(code) == "proven\n"


def test_transactions_stay_in_force_when_a_tool_restores_the_method(
    run: Callable[..., str],
) -> None:
    restore = """
BaseHandler.make_view_atomic = original
"""
    keep = """
from django.core.handlers.base import BaseHandler
original = BaseHandler.make_view_atomic
"""
    assert run(f"{SetUp}{keep}{SERVE_ONE}{restore}{Prove}") == "proven\n"


def test_a_django_without_the_method_is_refused(run: Callable[..., str]) -> None:
    code = f"""{SetUp}
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.base import BaseHandler
from django.test import Client
del BaseHandler.make_view_atomic
try:
    Client().get("/write/")
except ImproperlyConfigured as error:
    print(error)
"""
    assert "needs; install Django 5.2 to 6.1" in run(code)
