"""Form fields for arrays and embedded documents that return unchanged values unchanged.

A part of a form that is submitted as it was shown keeps its value, even if the widgets cannot
represent it: ids of embedded documents, spaces at the ends of texts, a missing document. Only
changed parts are read from the form.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bson import json_util
from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.forms.models import modelform_factory
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from djongo_services.bson_decoding import NOT_EXTENDED_JSON

EXTRA_DOCUMENTS = 1
"""The number of empty forms after those of the documents in an array."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A submitted part of a form, together with the value that it was created from."""

    data: Any
    files: Any
    prefix: str
    initial: Any = None


class _InnerForm(forms.ModelForm):  # type: ignore[type-arg]
    @cached_property
    def changed_data(self) -> list[str]:
        changed: list[str] = super().changed_data
        return [name for name in changed if not _is_as_shown(self[name])]

    def clean(self) -> dict[str, Any]:
        # Not Django's, which also looks up uniqueness: embedded documents have no collection.
        found: dict[str, Any] = self.cleaned_data
        # A formset has added a checkbox of its own.
        own = {field.name for field in self.instance._meta.fields}
        same = own & found.keys() - {*self.changed_data}
        return found | {name: getattr(self.instance, name) for name in same}

    @property
    def is_emptied(self) -> bool:
        """Whether the form is empty."""
        return all(_is_empty(self[name]) for name in self.fields)


class _PartWidget(forms.Widget):
    """Finds its part of the data; its bound field renders it."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Sent:
        return Sent(data=data, files=files, prefix=name)

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return not any(key.startswith(f"{name}-") for key in data)


class _PartField(forms.Field):
    """A form field that is itself one or several forms inside of another form."""

    widget = _PartWidget

    def __init__(self, *, model: type[models.Model], **options: Any) -> None:
        super().__init__(**options)
        self.model = model
        self.form_class: Any = modelform_factory(model, form=_InnerForm, fields="__all__")

    def get_bound_field(self, form: Any, field_name: str) -> _PartBound:
        return _PartBound(form, self, field_name)

    def part(self, value: Any, prefix: str) -> Any:
        """The inner form or formset: bound if ``value`` was submitted, otherwise showing ``value``.

        Both kinds of fields implement it.
        """
        raise NotImplementedError

    def has_changed(self, initial: Any, data: Any) -> bool:
        if self.disabled or not isinstance(data, Sent):
            return False
        sent = Sent(data=data.data, files=data.files, prefix=data.prefix, initial=initial)
        return bool(self.part(sent, sent.prefix).has_changed())

    def bound_data(self, data: Any, initial: Any) -> Any:
        return initial if self.disabled else data


class _PartBound(forms.BoundField):
    field: _PartField

    @property
    def data(self) -> Any:
        sent = super().data
        return Sent(data=sent.data, files=sent.files, prefix=sent.prefix, initial=self.initial)

    def __str__(self) -> SafeString:
        return mark_safe(self.as_widget())  # noqa: S308  (made of forms, which escape)

    def as_widget(self, *args: Any, **kwargs: Any) -> SafeString:
        shown = self.field.part(self.value(), self.html_name)
        if isinstance(shown, forms.BaseForm):
            return shown.as_div()
        rows = "".join(form.as_div() for form in shown)
        return format_html(
            "{}{}",
            mark_safe(rows),  # noqa: S308  (made of forms, which escape)
            shown.management_form,
        )


class EmbeddedDocumentField(_PartField):
    """The form of one embedded document.

    With ``null``, a document whose fields were all emptied becomes None, and so does a missing one
    that was not filled in.
    """

    def __init__(self, *, null: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.null = null

    def part(self, value: Any, prefix: str) -> Any:
        if isinstance(value, Sent):
            instance = self.model() if value.initial is None else _copied(value.initial)
            return self.form_class(value.data, value.files, prefix=prefix, instance=instance)
        return self.form_class(prefix=prefix, instance=value or self.model())

    def clean(self, value: Any) -> Any:
        if not isinstance(value, Sent):
            return value
        form = self.part(value, value.prefix)
        if not form.has_changed():
            if value.initial is None and not self.null:
                return self.model()
            return value.initial
        if self.null and form.is_emptied:
            return None
        if not form.is_valid():
            raise ValidationError(list(_complaints(form)))
        return form.instance


class EmbeddedDocumentsField(_PartField):
    """The forms of the embedded documents of an array, each with a checkbox that removes it."""

    default_error_messages = {"required": _("Add at least one.")}

    def __init__(self, *, max_num: int | None = None, null: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.null = null
        self.formset: Any = forms.formset_factory(
            self.form_class,
            formset=_Documents,
            can_delete=True,
            extra=EXTRA_DOCUMENTS,
            max_num=max_num,
            validate_max=max_num is not None,
            absolute_max=None if max_num is not None else 100_000,
        )

    def part(self, value: Any, prefix: str) -> Any:
        if isinstance(value, Sent):
            documents = value.initial or []
            return self.formset(value.data, value.files, prefix=prefix, documents=documents)
        return self.formset(prefix=prefix, documents=value or [])

    def clean(self, value: Any) -> Any:
        if not isinstance(value, Sent):
            return value
        formset = self.part(value, value.prefix)
        if not formset.is_valid():
            inner = [one for form in formset for one in _complaints(form)]
            raise ValidationError([*inner, *formset.non_form_errors()])
        if not formset.has_changed():
            return value.initial if value.initial is not None or self.null else []
        found = list(formset.kept())
        if self.required and not found:
            raise ValidationError(self.error_messages["required"], code="required")
        return found


class _Documents(forms.BaseFormSet):  # type: ignore[type-arg]
    """Forms of instances, which a plain formset does not support."""

    def __init__(self, *args: Any, documents: Sequence[models.Model] = (), **options: Any) -> None:
        self.documents = documents
        super().__init__(*args, **options)

    def initial_form_count(self) -> int:
        return len(self.documents)

    def total_form_count(self) -> int:
        if self.is_bound:
            return super().total_form_count()
        return len(self.documents) + self.extra

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        options = super().get_form_kwargs(index)
        if index is not None and index < len(self.documents):
            options["instance"] = _copied(self.documents[index])
        return options

    def kept(self) -> Iterator[models.Model]:
        """The documents in order: unchanged ones as they were, without those that are removed."""
        for place, form in enumerate(self.forms):
            known = place < len(self.documents)
            if form in self.deleted_forms:
                continue
            if not form.has_changed():
                if known:
                    yield self.documents[place]
            else:
                yield form.instance


class JSONArrayField(forms.CharField):
    """An array as a list in JSON, whose items are what the form field of one item accepts.

    Values that JSON does not have, and all values if an item is any BSON, are in Extended JSON.
    """

    widget = forms.Textarea
    default_error_messages = {
        "invalid": _('Enter a list in JSON, such as ["a", "b"].'),
        "item": _("Item %(nth)s: %(error)s"),
    }

    def __init__(self, *, base_field: forms.Field, null: bool = False, **options: Any) -> None:
        self.base_field = base_field
        self.null = null
        if isinstance(base_field, forms.CharField):
            # An item is the text between the quotes, including spaces.
            base_field.strip = False
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        if self._holds_values:
            return json_util.dumps(value, json_options=_CANONICAL, ensure_ascii=False)
        return json.dumps([self._shown(item) for item in value], ensure_ascii=False)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, list):
            return value
        if value in self.empty_values:
            return []
        try:
            if self._holds_values:
                found = json_util.loads(value, json_options=_CANONICAL)
            else:
                found = json.loads(value)
        except NOT_EXTENDED_JSON as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error
        if not isinstance(found, list):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return found if self._holds_values else [self._item(*each) for each in enumerate(found)]

    def clean(self, value: Any) -> Any:
        if isinstance(value, Sent):
            if not self.has_changed(value.initial, value.data):
                return value.initial if value.initial is not None or self.null else []
            value = value.data
        return super().clean(value)

    def get_bound_field(self, form: Any, field_name: str) -> _ArrayBound:
        return _ArrayBound(form, self, field_name)

    def bound_data(self, data: Any, initial: Any) -> Any:
        data = data.data if isinstance(data, Sent) else data
        return super().bound_data(data, initial)

    def has_changed(self, initial: Any, data: Any) -> bool:
        if self.disabled:
            return False
        data = data.data if isinstance(data, Sent) else data
        shown = self.prepare_value(initial)
        return _lines(shown) != _lines(data)

    @property
    def _holds_values(self) -> bool:
        return hasattr(self.base_field, "encoder") or isinstance(
            self.base_field, _extended_json_field()
        )

    def _shown(self, item: Any) -> Any:
        shown = self.base_field.prepare_value(item)
        return shown if isinstance(shown, str | int | float | None) else str(shown)

    def _item(self, place: int, item: Any) -> Any:
        try:
            return self.base_field.clean(item)
        except ValidationError as error:
            raise ValidationError(
                self.error_messages["item"],
                code="item",
                params={"nth": place + 1, "error": " ".join(error.messages)},
            ) from error


class _ArrayBound(forms.BoundField):
    @property
    def data(self) -> Any:
        return Sent(data=super().data, files=None, prefix=self.html_name, initial=self.initial)

    def value(self) -> Any:
        if not self.form.is_bound:
            return super().value()
        return self.field.prepare_value(self.field.bound_data(super().data, self.initial))


_CANONICAL = json_util.CANONICAL_JSON_OPTIONS


def _extended_json_field() -> type[forms.Field]:
    # Model fields import their form fields, and some of these are here.
    from djongo_services.modelfields import ExtendedJSONField

    return ExtendedJSONField


def _copied(document: models.Model) -> models.Model:
    """A copy for a form to change. Django's own way looks up the class in the registry of apps."""
    found = type(document).__new__(type(document))
    vars(found).update(vars(document), _state=copy.copy(document._state))
    return found


def _lines(text: Any) -> str:
    return str(text or "").replace("\r\n", "\n").strip()


def _is_as_shown(bound: Any) -> bool:
    """Whether a text was submitted unchanged, including spaces at its ends."""
    if not isinstance(bound.field, forms.CharField) or not isinstance(bound.data, str):
        return False
    shown = bound.field.prepare_value(bound.initial)
    return bound.data.replace("\r\n", "\n") == str(shown or "").replace("\r\n", "\n")


def _is_empty(bound: Any) -> bool:
    data = bound.data
    if isinstance(bound.field, _PartField):
        part = bound.field.part(data, data.prefix)
        inner: list[Any] = [part] if isinstance(part, forms.BaseForm) else part.forms
        return all(form.is_emptied for form in inner)
    text = data.data if isinstance(data, Sent) else data
    return text in (*forms.Field.empty_values, False, "[]", "null")


def _complaints(form: Any) -> Iterator[str]:
    """The errors of an inner form, as sentences with the names of its fields."""
    for name, errors in form.errors.items():
        label = form[name].label if name in form.fields else ""
        for error in errors:
            yield f"{label}: {error}" if label else str(error)
