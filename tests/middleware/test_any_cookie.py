"""A request with any cookie is answered like one without."""

from __future__ import annotations

import base64
from typing import Any

import bson
import pytest
from bson.timestamp import Timestamp
from django.core import signing
from django.test import Client
from django.urls import path
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from djongo_services.transaction.requests import token
from tests.middleware import views
from tests.middleware.conftest import Site

many = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
texts = st.text(st.characters(max_codepoint=255, exclude_characters='\r\n\0;,"'), max_size=60)


@pytest.fixture
def client(site: Site) -> Client:
    site.configure(READ_YOUR_WRITES="cookie")
    site.serve(path("read", views.read), path("write", views.write))
    return Client()


def signed(packed: bytes) -> str:
    """Signed as this site would sign it."""
    signer = signing.TimestampSigner(salt=token._SALT)
    return signer.sign(base64.urlsafe_b64encode(packed).decode())


@many
@given(text=texts)
def test_any_text(client: Client, text: str) -> None:
    client.cookies[token.NAME] = text
    assert client.get("/read").status_code == 200


@many
@given(data=st.data())
def test_a_token_that_is_changed(client: Client, data: st.DataObject) -> None:
    client.cookies.clear()
    client.post("/write")
    good = client.cookies[token.NAME].value
    at = data.draw(st.integers(0, len(good) - 1))
    changed = good[:at] + data.draw(texts) + good[at + 1 :]
    client.cookies[token.NAME] = changed
    assert client.get("/read").status_code == 200


times = st.one_of(
    st.none(),
    st.integers(-9, 9),
    st.text(max_size=3),
    st.builds(Timestamp, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
)
entries = st.one_of(
    times,
    st.dictionaries(st.sampled_from("cox"), times, max_size=3),
    st.fixed_dictionaries(
        {
            "c": st.one_of(
                times,
                st.fixed_dictionaries(
                    {}, optional={"clusterTime": times, "signature": times, "keyId": times}
                ),
            ),
            "o": times,
        }
    ),
)


@many
@given(
    packed=st.one_of(
        st.binary(max_size=60),
        st.dictionaries(
            st.sampled_from(["DATABASES:default", "CONNECTIONS:default", "default", ":", ""]),
            entries,
            max_size=2,
        ).map(bson.encode),
    )
)
def test_anything_that_is_signed(client: Client, packed: bytes) -> None:
    """As an earlier or later version may have signed it."""
    client.cookies[token.NAME] = signed(packed)
    answer: Any = client.get("/read")
    assert answer.status_code == 200
