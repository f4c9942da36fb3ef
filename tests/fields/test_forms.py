"""Forms of BSON values: what was not changed is saved as it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Site = Callable[[str], str]

VALUES = """
import uuid
from django import forms
from django.forms import modelform_factory
VALUES = [
    "a", "1", "", "a,b", "null", "\\0", 1, Int64(1), 1.0, float("nan"), True, None, OID,
    Decimal128("1.50"), Binary(b"0" * 16, 4), datetime(2024, 1, 31, 10, 0, 0, 123000),
    Regex("a,b", "i"), Timestamp(1, 2), {"a": [1, {"b": Int64(2)}], "c": ","}, [], {}, [[], [1]],
    DBRef("c", OID), MinKey(), MaxKey(), Code("f(a, b)"), b"x",
]
holders = connection.database["keyed_holder"]
"""


def test_a_form_and_the_admin_resubmitted(site: Site) -> None:
    site(
        VALUES
        + """
for at, value in enumerate(VALUES):
    holders.delete_many({})
    document = {
        "_id": OID, "value": value, "required": 0 if value is None else value,
        "values": [value, value], "nested": [[value], [1]],
        "inner": {"value": value, "label": "abc"},
        "inners": [{"value": value, "label": "x"}, {"value": 2, "label": "y"}],
    }
    holders.insert_one(document)
    Form = modelform_factory(Holder, fields="__all__")
    holder = Holder.objects.get()
    data = fields(Form(instance=holder).as_p())
    form = Form(data, instance=holder)
    assert form.is_valid(), (value, form.errors)
    assert not {"value", "required", "values", "nested"} & {*form.changed_data}, (
        value, form.changed_data)
    form.save()
    assert same(holders.find_one(), document), (value, holders.find_one())
    url = f"/admin/keyed/holder/{OID}/change/"
    data = fields(client.get(url).content.decode())
    answer = client.post(url, data)
    assert answer.status_code == 302, (value, answer.content.decode())
    assert same(holders.find_one(), document), (value, holders.find_one())
    # Shown again after a mistake in another field, and sent again.
    answer = client.post(url, {**data, "inner-label": "too long"})
    assert answer.status_code == 200
    again = fields(answer.content.decode())
    answer = client.post(url, {**again, "inner-label": "abc"})
    assert answer.status_code == 302, (value, answer.content.decode())
    assert same(holders.find_one(), document), (value, holders.find_one())
    holder.full_clean(exclude=["inner", "inners"])
from django.core.exceptions import ValidationError
try:
    Holder(value=None, required=None).clean_fields(exclude=["inner", "inners", "values", "nested"])
except ValidationError as error:
    assert error.message_dict == {"required": ["This field cannot be null."]}
else:
    raise AssertionError
"""
    )


def test_what_was_changed_and_what_is_wrong(site: Site) -> None:
    site(
        VALUES
        + """
from djongo_services.modelfields import ExtendedJSONArrayField, ExtendedJSONField
Form = modelform_factory(Holder, fields=["required", "values", "nested"])
def holder():
    return Holder(required=1, values=[1, "a"], nested=None)
shown = {"required": '{"$numberInt": "1"}', "values": '[{"$numberInt": "1"}, "a"]', "nested": ""}
same_again = Form(shown, instance=holder())
assert same_again.is_valid() and same_again.has_changed() is False, same_again.changed_data
for name, text, value in (
    ("required", "true", True), ("required", '{"$numberDouble": "1.0"}', 1.0),
    ("required", '""', ""), ("required", "{}", {}), ("required", "[]", []),
    ("values", "[]", []), ("values", '["a"]', ["a"]), ("values", "", None),
    ("nested", "[[1], [2]]", [[1], [2]]),
):
    form = Form({**shown, name: text}, instance=holder())
    assert form.is_valid(), (text, form.errors)
    assert form.changed_data == [name], text
    assert same(form.cleaned_data[name], value), text
array = "Enter an array in Extended JSON, such as [1, 2]."
for name, text, message in (
    ("required", "{oops", "Enter valid Extended JSON."),
    ("required", "", "This field is required."), ("required", "  ", "This field is required."),
    ("required", "null", "This field is required."),
    ("values", "1,a", "Enter valid Extended JSON."), ("values", "1", array),
    ("values", '{"a": 1}', array), ("values", '"a"', array),
    ("nested", "[[1], [1, 2]]", "Nested arrays must have the same length."),
):
    form = Form({**shown, name: text}, instance=holder())
    assert form.errors == {name: [message]}, (text, form.errors)
    assert html.unescape(fields(form.as_p())[name]) == text

class Sized(models.Model):
    most = ArrayField(BSONField(), max_size=1)
    exact = ArrayField(BSONField(), size=2)
    class Meta:
        app_label = "keyed"

Form = modelform_factory(Sized, fields="__all__")
assert isinstance(Form().fields["most"], ExtendedJSONArrayField)
form = Form({"most": "[1, 2]", "exact": "[1]"})
assert set(form.errors) == {"most", "exact"}, form.errors
assert Form({"most": "[1]", "exact": "[1, 2]"}).is_valid()
class Numbers(models.Model):
    numbers = ArrayField(models.IntegerField())
    class Meta:
        app_label = "keyed"
form = modelform_factory(Numbers, fields="__all__")({"numbers": "1,2"})
assert form.is_valid() and form.cleaned_data == {"numbers": [1, 2]}
"""
    )


@pytest.mark.parametrize("first", ["arrays", "values"])
def test_arrays_whatever_is_imported_first(site: Site, first: str) -> None:
    imports = {
        "arrays": "from django_mongodb_backend.fields import ArrayField\n"
        "from djongo_services.modelfields import BSONField\n",
        "values": "from djongo_services.modelfields import BSONField\n"
        "from django_mongodb_backend.fields import ArrayField\n",
    }
    site(
        imports[first]
        + "field = ArrayField(BSONField())\n"
        + "assert type(field.formfield()).__name__ == 'ExtendedJSONArrayField'\n"
    )
