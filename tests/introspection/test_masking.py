"""Secrets that a report must hide, and values that look like secrets and are not hidden."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from bson import ObjectId
from django.contrib.auth.hashers import make_password
from django.core import signing
from pymongo.database import Database

from djongo_services.introspection import inspect_database
from djongo_services.introspection.masking import (
    is_secret_name,
    looks_secret,
    masked_document,
)
from djongo_services.introspection.modelling import render_models
from djongo_services.introspection.rendering.html import render_html
from djongo_services.introspection.rendering.json import render_json
from djongo_services.introspection.rendering.jsonschema import render_json_schema
from djongo_services.introspection.rendering.mermaid import render_mermaid
from djongo_services.introspection.rendering.text import render_text
from djongo_services.introspection.report import Report, ValueSummary

Mongo = Database[dict[str, Any]]

SECRETS = {
    "Django, PBKDF2": "pbkdf2_sha256$600000$Zq3vTjq1$kTGVbJ3V7g7cX0ZyTn3I3l5w4Zc3bJ0lWcXgWgYdEe8=",
    "Django, bcrypt": "bcrypt_sha256$$2b$12$Qw7Xh9mQy0K3Zr8c0nXQ2e9Qw7Xh9mQy0K3Zr8c0nXQ2e9Qw7Xh9",
    "Django, argon2": "argon2$argon2id$v=19$m=102400,t=2,p=8$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWg",
    "Django, MD5": "md5$Zq3vTjq1$d8578edf8458ce06fbc5bb76a58c5ca4",
    "bcrypt": "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
    "argon2": "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWg",
    "SHA-512 crypt": "$6$rounds=5000$usesomesillystri$D4IrlXatmP7rx3P3InaxBeoomnAihCKRVQUr",
    "LDAP": "{SSHA}MTIzNDU2Nzg5MGFiY2RlZg==",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "PEM": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow",
    "AWS": "AKIAIOSFODNN7EXAMPLE",
    "AWS secret": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1",
    "GitHub": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "Slack": "xoxb-123456789012-abcdefGHIJKL",
    "Stripe": "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc",
    "Google": "AIzaSyA-1234567890abcdefghijklmnopqrstu",
    "bearer": "Bearer abcdefghijk123456",
    "URI": "mongodb://admin:hunter2@db.example.org/",
    "signed URL": "https://x.org/a?X-Amz-Signature=0123456789abcdef&a=1",
    "SHA-256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "MD5": "098f6bcd4621d373cade4e832627b4f6",
    "session key": "t2qk1d0v3s9x8f7h6j5k4l3m2n1b0vcx",
    "random": "dGhpcyBpcyBub3Q3aGluZyBidXQgNjRCYXNlNjQ0",
    "otpauth": "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP",
}

HARMLESS = {
    "a name": "Ada Lovelace",
    "a mail address": "ada.lovelace@analytical-engine.example.org",
    "a UUID": str(uuid.UUID("12345678-1234-4234-9234-123456789abc")),
    "a UUID of 32 digits": uuid.UUID("12345678-1234-4234-9234-123456789abc").hex,
    "the text of an ObjectId": str(ObjectId("507f1f77bcf86cd799439011")),
    "a slug": "how-to-write-a-slug-that-is-quite-a-bit-longer-than-most-2024",
    "a path": "uploads/2024/05/Summer-Photos/IMG_0042-edited-version.jpeg",
    "a URL": "https://www.example.org/articles/2024/05/a-long-title-of-an-article?page=2",
    "a class": "SummerCollectionPhotoAlbumOfTheYearTwoThousand",
    "a sentence": "The quick brown fox jumps over the lazy dog, 12 times.",
    "digits": "123456789012345678901234567890123456",
    "an ISBN": "978-3-16-148410-0",
    "a date": "2024-05-01T12:00:00.000000+00:00",
    "an enum": "PENDING_CONFIRMATION_BY_ADMINISTRATOR",
    "a MIME type": "application/vnd.openxmlformats-officedocument.wordprocessingml",
    "coordinates": "40.712776,-74.005974",
    "nothing": "",
}

SECRET_NAMES = [
    *("password", "passwd", "password_hash", "hashedPassword", "_hashed_password", "user_pwd"),
    *("token", "access_token", "refreshToken", "csrfToken", "tokens", "accesstoken", "jwt"),
    *("secret", "client_secret", "SECRET_KEY", "api_key", "apiKey", "apikey", "API-Key"),
    *("salt", "hash", "authorization", "Authorization", "cookie", "Set-Cookie", "credentials"),
    *("session_key", "session_data", "sessionId", "private_key", "privatekey", "ssh_key"),
    *("cvv", "ssn", "iban", "card_number", "cardNumber", "creditCard", "pin", "otp", "totp_secret"),
    *("_auth_data_facebook", "recovery_codes", "backup_code", "security_answer", "reset_key"),
]

OTHER_NAMES = [
    *("name", "email", "keyboard", "monkey", "passenger", "compass", "bypass", "author", "authors"),
    *("hashtag", "tokenizer", "secretary", "cookbook", "spin", "pinned"),
    *(
        "status",
        "code",
        "key",
        "keywords",
        "session",
        "data",
        "cardinality",
        "discard",
        "saltwater",
    ),
    *("assignment", "signal", "description", "country", "account", "number", "zip_code", "api"),
]


@pytest.mark.parametrize("kind", SECRETS)
def test_values_that_look_like_secrets(kind: str) -> None:
    assert looks_secret(SECRETS[kind])


def test_what_django_makes_itself() -> None:
    assert looks_secret(make_password("x"))
    assert looks_secret(make_password(None))
    assert looks_secret(signing.dumps({"a": 1}))
    assert looks_secret(signing.TimestampSigner(key="k").sign("a" * 20))


@pytest.mark.parametrize("kind", HARMLESS)
def test_values_that_do_not(kind: str) -> None:
    assert not looks_secret(HARMLESS[kind])


@pytest.mark.parametrize("value", [1, None, 1.5, b"x" * 40, ObjectId(), ["password"]])
def test_only_texts_look_like_secrets(value: Any) -> None:
    assert not looks_secret(value)


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name((name,))
    assert is_secret_name(("a", name, "value"))


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_other_names(name: str) -> None:
    assert not is_secret_name((name,))


@pytest.fixture
def users(database: Mongo) -> Mongo:
    """Users that share two hashes, so that they would be choices; and a session collection."""
    hashes = [SECRETS["Django, PBKDF2"], SECRETS["bcrypt"]]
    database.auth_user.insert_many(
        {
            "_id": n,
            "username": f"user{n % 3}",
            "password": hashes[n % 2],
            "pin": 1234 + n % 2,
            "note": f"letter {n % 2}: {'mongodb://admin:hunter2@db/' if n % 2 else ''}",
            "checksum": f"{n * 10**30:032x}"[:32] if n % 2 else SECRETS["MD5"],
            "card": "4111 1111 1111 1111" if n % 2 else "5500-0000-0000-0004",
            "auth": {"google": {"id": f"google{n % 2}"}},
            "password_changed": n % 2 == 0,
            "uid": str(uuid.UUID(int=(4 << 76) + (9 << 60) + n)),
        }
        for n in range(40)
    )
    database.django_session.insert_many(
        {"_id": f"t2qk1d0v3s9x8f7h6j5k4l3m2n1b{n:04d}", "session_data": f"{n}:{'x' * 50}"}
        for n in range(30)
    )
    return database


LEAKS = (
    "pbkdf2",
    "$2b$",
    "1234",
    "1235",
    "hunter2",
    "098f6b",
    "4111",
    "5500-",
    "google0",
    "t2qk1d0",
)


def every_format(report: Report) -> dict[str, str]:
    return {
        "text": render_text(report),
        "json": render_json(report),
        "html": render_html(report),
        "models": render_models(report, style="backend"),
        "plain models": render_models(report, style="plain"),
        "jsonschema": render_json_schema(report),
        "mermaid": render_mermaid(report),
    }


@pytest.mark.parametrize("depth", ["sample", "exact"])
def test_no_format_shows_them(users: Mongo, depth: Any) -> None:
    report = inspect_database(users, depth=depth, values=True)
    for name, text in every_format(report).items():
        leaked = [leak for leak in LEAKS if leak in text]
        assert leaked == [], name
        assert "user0" in text or name in ("mermaid",), name


def test_what_is_said_of_them_all_the_same(users: Mongo) -> None:
    report = inspect_database(users, values=True)
    password = values_of(report, "auth_user", "password")
    assert (password.masked, password.minimum, password.maximum, password.enum) == (
        True,
        None,
        None,
        (),
    )
    assert (password.distinct, password.shortest, password.longest) == (
        2,
        len(SECRETS["bcrypt"]),
        len(SECRETS["Django, PBKDF2"]),
    )
    assert "values hidden" in render_text(report)
    assert "always" not in render_text(report)


def test_what_is_not_hidden(users: Mongo) -> None:
    report = inspect_database(users, values=True)
    shown = [
        name
        for name in ("username", "password_changed", "uid", "_id")
        if not values_of(report, "auth_user", name).masked
    ]
    assert shown == ["username", "password_changed", "uid", "_id"]


def test_they_are_shown_when_asked_for(users: Mongo) -> None:
    report = inspect_database(users, values=True, show_secrets=True)
    password = values_of(report, "auth_user", "password")
    assert not password.masked
    assert len(password.enum) == 2


def test_a_constant_secret(database: Mongo) -> None:
    database.settings.insert_many({"api_key": "hunter2"} for _ in range(30))
    report = inspect_database(database, values=True)
    assert "hunter2" not in "".join(every_format(report).values())
    assert "always" not in render_text(report)


def test_the_ids_of_sessions_are_no_examples(database: Mongo) -> None:
    database.create_collection(
        "django_session", validator={"expires": {"$type": "date"}}, validationLevel="moderate"
    )
    database.django_session.insert_many(
        [{"_id": f"t2qk1d0v3s9x8f7h6j5k4l3m2n1b{n:04d}"} for n in range(3)],
        bypass_document_validation=True,
    )
    for shown, examples in ((False, 0), (True, 3)):
        report = inspect_database(database, show_secrets=shown)
        (warning,) = report["django_session"].warnings
        assert (warning.code, warning.count) == ("validator-violations", 3)
        assert len(warning.examples) == examples


def test_a_document_is_shown_without_them() -> None:
    document = {
        "_id": 1,
        "username": "ada",
        "password": SECRETS["bcrypt"],
        "pin": 1234,
        "age": 36,
        "tokens": [{"value": "abc", "n": 1}],
        "note": ["fine", SECRETS["JWT"]],
        "photo": b"bytes",
    }
    assert masked_document(document, "users") == {
        "_id": 1,
        "username": "ada",
        "password": "(hidden)",
        "pin": "(hidden)",
        "age": 36,
        "tokens": [{"value": "(hidden)", "n": 1}],
        "note": ["fine", "(hidden)"],
        "photo": b"bytes",
    }


def values_of(report: Report, collection: str, path: str) -> ValueSummary:
    profile = report[collection].profile
    assert profile is not None
    values = profile[path].values
    assert values is not None
    return values
