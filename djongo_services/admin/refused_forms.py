"""A form shown again because the collection's validator refused what it would have saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from djongo_services.admin.refusals import Complaint
from djongo_services.introspection.rendering.printable import printable
from djongo_services.introspection.rendering.values import shortened

_LONGEST = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Nothing was saved."""

    model: type[models.Model]
    """Of the object whose document was refused: the form's own, or an inline's."""
    complaints: tuple[Complaint, ...]
    """None where the server does not say why."""


def told(form: Any, refusal: Refusal, model: type[models.Model]) -> Any:
    """``form``, the form class of ``model``, with the complaints beside its fields."""

    class RefusedForm(form):  # type: ignore[misc]  # a class is given at run time
        def full_clean(self) -> None:
            super().full_clean()
            if not hasattr(self, "cleaned_data"):
                return
            rest = []
            for one in refusal.complaints:
                name = _field(refusal, one) if refusal.model is model else None
                if name in self.fields:
                    self.add_error(name, capfirst(_shown(one)))
                else:
                    rest.append(one)
            if rest or not refusal.complaints:
                for text in sentences(refusal.model, tuple(rest), model):
                    self.add_error(None, text)

    return RefusedForm


def sentences(
    of: type[models.Model], complaints: tuple[Complaint, ...], model: type[models.Model]
) -> list[str]:
    """The complaints where there are no fields to put them beside, on a page about ``model``."""
    what = "" if of is model else f"{capfirst(of._meta.verbose_name)}: "
    if complaints:
        return [what + _message(of, one) for one in complaints]
    return [what + _("The collection's validator refuses the document, and does not say why.")]


def _field(refusal: Refusal, one: Complaint) -> str | None:
    """From the name in documents to that in forms."""
    for field in refusal.model._meta.concrete_fields:
        if field.column == one.column:
            return str(field.name)
    return None


def _message(model: type[models.Model], one: Complaint) -> str:
    """The constraint's own words where it has some."""
    for constraint in model._meta.constraints:
        if one.check is not None and constraint.name == one.check:
            return str(constraint.get_violation_error_message())
    return _shown(one) if one.column is None else f"{printable(one.column)}: {_shown(one)}"


def _shown(one: Complaint) -> str:
    return shortened(printable(one.text), _LONGEST)
