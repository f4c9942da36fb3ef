"""A backend that the engine does not support is refused with one sentence."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured
from django_mongodb_backend import base, compiler

from djongo_services.backend.known_names import refuse_unknown_backend


@pytest.mark.parametrize(
    ("owner", "name"),
    [(base.DatabaseWrapper, "_driver_info"), (compiler.SQLInsertCompiler, "insert")],
)
def test_it_is_refused(owner, name, monkeypatch):
    monkeypatch.delattr(owner, name)
    refuse_unknown_backend.cache_clear()
    with pytest.raises(ImproperlyConfigured) as raised:
        refuse_unknown_backend()
    assert f" has no {owner.__name__}.{name}, which the engine djongo_services.backend" in str(
        raised.value
    )


def test_this_one_is_known():
    refuse_unknown_backend.cache_clear()
    refuse_unknown_backend()
