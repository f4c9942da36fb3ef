"""Mends, through the ORM, the documents that ``syncmongoschema --violations`` lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from bson import ObjectId
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db.models import Model

from demo_project.demo.step import StepFailed

if TYPE_CHECKING:
    # The list of the demo's steps can be read before Django is set up.
    from demo_project.archive.models import Loan, Note, Person, Place

Json = dict[str, Any]


def mend(document: Json) -> Iterator[str]:
    """Mend every document that is listed in the command's JSON, and yield what was done to each.

    Raises StepFailed where no mender exists, or where Django itself refuses the result.
    """
    for violations in document["violations"]:
        name = violations["collection"]
        if name not in _MENDERS:
            raise StepFailed(f"The demo cannot mend documents of {name}.")
        label, mender = _MENDERS[name]
        for example in violations["examples"]:
            found = apps.get_model(label)._default_manager.get(pk=ObjectId(example["_id"]["$oid"]))
            said = mender(found)
            _save(found)
            yield f"{found}: {said}"


def _save(instance: Model) -> None:
    try:
        instance.full_clean()
    except ValidationError as error:
        raise StepFailed(f"{instance} is still wrong: {' '.join(error.messages)}") from None
    instance.save()


def _mend_person(person: Person) -> str:
    was, person.role = person.role, person.Role.VOLUNTEER
    return f"{was} is now {person.role.value}"


def _mend_place(place: Place) -> str:
    if not isinstance(place.country, str):
        was, place.country = place.country, _COUNTRIES[place.country]
        return f"country {was} is now {place.country}"
    found, place.elevation = place.elevation, None
    return f"elevation {found} is now unknown"


def _mend_note(note: Note) -> str:
    was, note.weather.wind = note.weather.wind, None
    return f"wind {was} is now unknown"


def _mend_loan(loan: Loan) -> str:
    was, loan.returned_on = loan.returned_on, None
    return f"not returned on {was}, before it was lent"


_COUNTRIES = {358: "FI"}
"""Countries by their dialling codes."""

_MENDERS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "archive_person": ("archive.Person", _mend_person),
    "archive_place": ("archive.Place", _mend_place),
    "archive_note": ("archive.Note", _mend_note),
    "archive_loan": ("archive.Loan", _mend_loan),
}
