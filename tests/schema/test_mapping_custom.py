"""Fields of other packages, which convert and check their values in different ways."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bson import Binary
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.test.utils import isolate_apps

from djongo_services.schema.mapping import model_schema
from tests.mongodb_orm import connection

SIZES = [("s", "small"), ("m", "medium"), ("l", "large")]


class Several(models.CharField):
    """Several choices in one string; Python's value is a list."""

    def to_python(self, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        return value if isinstance(value, str | None) else ",".join(value)

    def validate(self, value: Any, instance: Any) -> None:
        if any(one not in dict(self.choices) for one in value):
            raise ValidationError("no")


class Joined(models.CharField):
    """The same, but a string in Python as well."""

    def validate(self, value: Any, instance: Any) -> None:
        if any(one not in dict(self.choices) for one in value.split(",")):
            raise ValidationError("no")


class Unlisted(Several):
    """As django-countries does it for the admin."""

    flatchoices = None


class Lenient(models.CharField):
    """Choices are proposals."""

    def validate(self, value: Any, instance: Any) -> None:
        pass


class Careless(models.CharField):
    """A field that fails on values of other types."""

    def validate(self, value: Any, instance: Any) -> None:
        raise TypeError(instance.pk)


class Own(models.CharField):
    """A field with one choice and a custom check."""

    def validate(self, value: Any, instance: Any) -> None:
        super().validate(value, instance)


class Lower(models.CharField):
    def get_prep_value(self, value: Any) -> Any:
        return value if value is None else str(value).lower()


class Secret(models.TextField):
    """A text that is stored as bytes."""

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        return None if value is None else Binary(str(value).encode())

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else str(value).encode()

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return self.get_prep_value(value)

    def from_db_value(self, value: Any, *args: Any) -> Any:
        return value if value is None else bytes(value).decode()


class Dashed(models.UUIDField):
    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return None if value is None else str(self.to_python(value))


class Colour(enum.Enum):
    RED = "red"


class ColourField(models.Field):
    """A field of no known kind; only a colour can be saved."""

    def get_prep_value(self, value: Any) -> Any:
        return value.value


class Count(models.Field):
    def get_prep_value(self, value: Any) -> Any:
        return int(value)


class Anything(models.Field):
    """Converts nothing."""


class Elsewhere(models.Field):
    def db_type(self, connection: Any) -> str:
        raise NotImplementedError(connection.vendor)


class Broken(models.TextField):
    @property
    def validators(self) -> Any:
        raise TypeError("'NoneType' object is not iterable")

    def to_python(self, value: Any) -> Any:
        return str(value)


def refuse_all() -> Any:
    raise AssertionError("a default is called, and who knows what it does")


FIELDS: dict[str, Callable[[], models.Field]] = {
    "several": lambda: Several(max_length=9, choices=SIZES),
    "joined": lambda: Joined(max_length=9, choices=SIZES),
    "unlisted": lambda: Unlisted(max_length=9, choices=SIZES),
    "lenient": lambda: Lenient(max_length=9, choices=SIZES),
    "careless": lambda: Careless(max_length=9, choices=SIZES),
    "own": lambda: Own(max_length=9, choices=SIZES),
    "computed": lambda: models.CharField(max_length=9, choices=lambda: SIZES),
    "uneditable": lambda: models.CharField(max_length=9, choices=SIZES, editable=False),
    "lower": lambda: Lower(max_length=9, validators=[RegexValidator("^[A-Z]+$")]),
    "secret": Secret,
    "dashed": Dashed,
    "colour": lambda: ColourField(default=Colour.RED),
    "chosen": lambda: ColourField(choices=[(Colour.RED, "red")]),
    "count": Count,
    "anything": lambda: Anything(default=1),
    "elsewhere": lambda: Elsewhere(default=refuse_all),
    "broken": Broken,
}
STRING = {"bsonType": "string", "maxLength": 9}
BY_DATABASE: dict[str, Any] = {
    **dict.fromkeys(FIELDS, STRING),
    "secret": {"bsonType": ["string", "binData"]},
    "dashed": {"bsonType": "string"},
    "broken": {"bsonType": "string"},
    "colour": {"bsonType": "string"},
    "chosen": {"bsonType": "string"},
    "count": {"bsonType": ["double", "int", "long", "decimal"]},
    "anything": {"not": {"bsonType": "null"}},
    "elsewhere": {"not": {"bsonType": "null"}},
}


@pytest.fixture(autouse=True)
def no_registry() -> Iterator[None]:
    with isolate_apps("tests.schema.apps.mapping"):
        yield


def made(name: str) -> type[models.Model]:
    class Custom(models.Model):
        field = FIELDS[name]()

        class Meta:
            app_label = "mapping"

    return Custom


def described(name: str, rules: Any, *, backend: bool = True) -> tuple[Any, list[str]]:
    found = model_schema(made(name), backend=backend, rules=rules)
    assert all(problem.subject == "mapping.Custom.field" for problem in found.problems)
    return found.schema["properties"]["field"], [problem.reason for problem in found.problems]


@pytest.mark.parametrize("name", FIELDS)
def test_as_a_database_sees_it(name: str) -> None:
    assert described(name, "database")[0] == BY_DATABASE[name]


@pytest.mark.parametrize("name", FIELDS)
def test_without_a_backend_it_is_asked_as_well(name: str) -> None:
    unlike = {"secret": {"bsonType": ["string", "binData"]}, "dashed": {"bsonType": "binData"}}
    found, _ = described(name, "database", backend=False)
    assert found == {**BY_DATABASE, **unlike}[name]


@pytest.mark.parametrize("name", ["several", "joined", "unlisted", "lenient", "careless"])
def test_choices_that_are_not_what_is_stored(name: str) -> None:
    found, (reason,) = described(name, "model")
    assert found == STRING
    kind = type(FIELDS[name]()).__name__
    assert reason == (
        f"choices and blank are not enforced, because {kind} converts or validates its values "
        f"itself."
    )


def test_one_choice_that_is_checked_by_a_method_of_its_own() -> None:
    assert described("own", "model") == ({"bsonType": "string", "enum": ["s", "m", "l"]}, [])


def test_choices_that_are_computed() -> None:
    found, (reason,) = described("computed", "model")
    assert found == {"bsonType": "string", "minLength": 1, "maxLength": 9}
    assert reason == (
        "choices are computed each time they are read, so a validator cannot contain them; "
        "only Django enforces them."
    )


def test_choices_of_a_field_that_is_not_editable() -> None:
    """``full_clean()`` does not check them either."""
    assert described("uneditable", "model") == (STRING, [])


def test_validators_of_what_is_converted_afterwards() -> None:
    found, (reason,) = described("lower", "model")
    assert found == STRING
    assert reason.startswith("validators and blank are not enforced, because Lower converts")


def test_what_the_class_cannot_tell_ends_nothing() -> None:
    found, (reason,) = described("broken", "model")
    assert found == {"bsonType": "string"}
    assert reason.startswith("validators and blank are not enforced, because Broken")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "colour",
            "the type of ColourField is not known; it writes string, so only that passes.",
        ),
        ("count", "the type of Count is not known; it writes int, so only that passes."),
        ("anything", "the type of Anything is not known; any value passes."),
        ("elsewhere", "the type of Elsewhere is not known; any value passes."),
    ],
)
def test_a_field_of_no_known_kind(name: str, said: str) -> None:
    for backend in (True, False):
        with isolate_apps("tests.schema.apps.mapping"):
            _, reasons = described(name, "database", backend=backend)
        assert reasons == [f"{said} Use register_field to state its type."]


VALUES: dict[str, Any] = {
    "several": ["s", "l"],
    "unlisted": ["s", "l"],
    "joined": "s,l",
    "lenient": "xl",
    "careless": "xl",
    "own": "m",
    "computed": "xl",
    "uneditable": "xl",
    "lower": "ABC",
    "secret": "text",
    "dashed": "00000000-0000-0000-0000-000000000005",
    **dict.fromkeys(["colour", "chosen"], Colour.RED),
    "count": 5,
    "anything": [5],
    "elsewhere": {"a": 5},
    "broken": "text",
}


@pytest.mark.django_db
@pytest.mark.parametrize("rules", ["database", "model"])
@pytest.mark.parametrize("name", FIELDS)
def test_the_server_takes_what_django_writes(name: str, rules: Any) -> None:
    model = made(name)
    schema = model_schema(model, backend=True, rules=rules).schema
    database, table = connection.database, model._meta.db_table
    database.drop_collection(table)
    database.create_collection(table, validator={"$jsonSchema": schema})
    try:
        model._default_manager.create(field=VALUES[name])
        assert database[table].count_documents({}) == 1
    finally:
        database.drop_collection(table)
