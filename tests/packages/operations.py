"""Operations of a project with Django's own apps, with packages, and in the admin.

Each operation is independent, and the same on MongoDB and on SQL.
"""

from __future__ import annotations

import datetime as dt
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.flatpages.models import FlatPage
from django.contrib.redirects.models import Redirect
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sites.models import Site
from django.core.management import call_command
from django.db.models import F
from django.forms import modelform_factory
from django.http import QueryDict
from django.test import Client
from djmoney.money import Money

from tests.packages.shop import models as shop
from tests.packages.values import ACCEPTED, REFUSED, Run, accepted, plain

__all__ = ["ACCEPTED", "REFUSED"]


@accepted
def users_and_their_groups() -> None:
    user = User.objects.create(username="bare")
    User.objects.create_user("somebody", password="x")
    call_command("createsuperuser", "--noinput", username="root", email="", verbosity=0)
    group = Group.objects.create(name="")
    group.permissions.add(*Permission.objects.all())
    user.groups.add(group)
    user.user_permissions.set(Permission.objects.all()[:2])
    user.set_password("secret")
    user.save()
    assert user.has_perm(_label(group.permissions.first()))
    user.delete()


def _label(permission: Any) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"


@accepted
def the_admins_log() -> None:
    user = User.objects.create(username="logged")
    LogEntry.objects.create(user=user, action_flag=ADDITION, object_repr="")
    LogEntry.objects.log_actions(user.pk, [user], ADDITION, change_message=[{"added": {}}])


@accepted
def sessions() -> None:
    store = SessionStore()
    store["a"] = {"b": [1, None]}
    store.save()
    store.cycle_key()
    store.flush()
    call_command("clearsessions", verbosity=0)


@accepted
def sites_pages_and_redirects() -> None:
    site = Site.objects.create(domain="", name="")
    page = FlatPage.objects.create(url="", title="")
    page.sites.add(site)
    Redirect.objects.create(site=site, old_path="", new_path="")


@accepted
def content_types() -> None:
    ContentType.objects.clear_cache()
    ContentType.objects.get_for_model(shop.Plain)
    ContentType.objects.create(app_label="", model="")


@accepted
def many_to_many() -> None:
    one, other = plain(), plain()
    one.save()
    other.save()
    one.friends.add(other)
    one.friends.set([other])
    one.friends.clear()


@accepted
def countries() -> None:
    one = shop.Address.objects.create(country="NZ", countries=["AU", "NZ"], more="")
    shop.Address.objects.create(country="", countries="", more=[])
    shop.Address.objects.create(country="XX", maybe=None, countries="AU,XX")
    one.country, one.countries = "DE", ["DE", "AT", "CH"]
    one.save()
    shop.Address.objects.update(countries=["FR"], country="FR", maybe="CH")
    shop.Address.objects.bulk_create([shop.Address(country="IT", countries=["IT", "SM"])])
    stored = shop.Address.objects.get(country="IT")
    assert [country.code for country in stored.countries] == ["IT", "SM"]


@accepted
def money() -> None:
    one = shop.Price.objects.create(price=Money("12.50", "CHF"))
    one.price = Money(5, "EUR")
    one.save()
    shop.Price.objects.create(price=7, budget=Money("-3.333", "USD"))
    shop.Price.objects.update(price=F("price") + Money(1, "EUR"))
    shop.Price.objects.bulk_create([shop.Price(price=Money("0.01", "JPY"))])
    assert shop.Price.objects.get(pk=one.pk).price == Money(6, "EUR")


@accepted
def phone_numbers() -> None:
    one = shop.Phone.objects.create(phone="+4930123456", mobile="0446681800")
    shop.Phone.objects.create(phone="")
    shop.Phone.objects.create(phone="no number", mobile=None)
    one.phone = "030 7654321"
    one.save()
    shop.Phone.objects.update(mobile="+41446681801")
    shop.Phone.objects.bulk_create([shop.Phone(phone="+41446681800")])
    assert shop.Phone.objects.filter(phone="+41446681800").exists()


@accepted
def several_choices() -> None:
    one = shop.Shirt.objects.create(sizes=["s", "m"])
    shop.Shirt.objects.create(sizes=[], spare=None)
    shop.Shirt.objects.create(sizes="xl,xs", spare="")
    one.sizes = ["l"]
    one.save()
    shop.Shirt.objects.update(sizes=["s", "m", "l"])
    shop.Shirt.objects.bulk_create([shop.Shirt(sizes=["m", "l"])])
    assert ["m", "l"] in [shirt.sizes for shirt in shop.Shirt.objects.all()]


@accepted
def model_utils() -> None:
    one = shop.Article.objects.create(body="Excerpt\n<!-- split -->\nMore")
    one.status = one.STATUS.out
    one.save(update_fields=["status", "status_changed"])
    shop.Article.objects.create(body="", status="", token="")
    shop.Article.objects.bulk_create([shop.Article(body="x", status="gone")])
    shop.Article.objects.update(status="unknown", start=dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
    one.delete()


@accepted
def tags() -> None:
    one = shop.Post.objects.create(title="")
    one.tags.add("red", "blue", "", "grün")
    assert set(one.tags.names()) == {"red", "blue", "", "grün"}
    shop.Tagged.objects.filter(object_id=str(one.pk)).delete()


@accepted
def replacing_tags() -> None:
    one = shop.Post.objects.create(title="")
    one.tags.add("red", "blue")
    one.tags.set(["blue", "grün"])
    one.tags.remove("blue")
    one.tags.clear()


@accepted
def history() -> None:
    one = shop.Document.objects.create(title="", kind="", country=["AU", "NZ"])
    one.title, one.kind = "changed", "z"
    one.save()
    shop.Document.history.bulk_history_create([one])
    one.delete()
    assert shop.Document.history.count() == 4


@accepted
def polymorphism() -> None:
    shop.Animal.objects.create(name="")
    one = shop.Dog.objects.create(name="Rex", breed="none")
    one.breed = ""
    one.save()
    assert {type(found) for found in shop.Animal.objects.all()} == {shop.Animal, shop.Dog}
    shop.Animal.objects.all().delete()


@accepted
def paths_of_a_tree() -> None:
    root = shop.Category.add_root(name="")
    child = root.add_child(name="b")
    root.add_child(name="a")
    child.add_sibling("sorted-sibling", name="c")
    assert [one.name for one in shop.Category.objects.get(pk=root.pk).get_children()] == [
        *("a", "b", "c")
    ]


@accepted
def moving_in_a_tree() -> None:
    root = shop.Category.add_root(name="from")
    other = shop.Category.add_root(name="to")
    root.move(other, "sorted-child")


@accepted
def nested_sets() -> None:
    root = shop.Section.add_root(name="")
    root.add_child(name="child")


CHANGED = {
    "status_changed": "2024-02-29 12:00",
    "status_changed_0": "2024-02-29",
    "status_changed_1": "12:00",
}
FORMS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Address": (shop.Address, {"country": "NZ", "countries": ["AU", "NZ"], "more": ["FR"]}),
    "Price": (
        shop.Price,
        {"price_0": "12.50", "price_1": "CHF", "budget_0": "", "budget_1": ""},
    ),
    "Phone": (shop.Phone, {"phone": "+4930123456", "mobile": ""}),
    "Shirt": (shop.Shirt, {"sizes": ["s", "l"], "spare": ["m"]}),
    "Article": (shop.Article, {"status": "out", "body": "text", **CHANGED}),
    "Post": (shop.Post, {"title": "title", "tags": "red, blue"}),
    "Document": (shop.Document, {"title": "title", "kind": "a", "country": ["AU", "NZ"]}),
    "Dog": (shop.Dog, {"name": "Rex", "breed": "husky"}),
}
for form_name, (form_model, form_data) in FORMS.items():

    def _form(model: Any = form_model, data: dict[str, Any] = form_data) -> None:
        form = modelform_factory(model, fields="__all__")(_query(data))
        assert form.is_valid(), form.errors
        saved = form.save()
        again = modelform_factory(model, fields="__all__")(_query(data), instance=saved)
        again.save()

    ACCEPTED[f"a form of {form_name}"] = _form


def _query(data: dict[str, Any]) -> Any:
    query = QueryDict(mutable=True)
    for name, value in data.items():
        query.setlist(name, value if isinstance(value, list) else [value])
    return query


@accepted
def fixtures() -> None:
    """All that is there, written out, deleted and loaded again."""
    call_each(["countries", "money", "phone_numbers", "several_choices", "model_utils", "tags"])
    call_each(["users_and_their_groups", "history"])
    plain(json={}, json_null=[]).save()
    text = io.StringIO()
    natural = {"use_natural_foreign_keys": True, "exclude": ["auth.permission"]}
    call_command("dumpdata", "shop", "taggit", "auth", stdout=text, **natural)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "all.json")
        path.write_text(text.getvalue())
        count = shop.Document.history.count()
        call_command("flush", "--noinput", verbosity=0)
        call_command("loaddata", str(path), verbosity=0)
    assert shop.Document.history.count() == count > 0


def call_each(names: list[str]) -> None:
    for name in names:
        for model in (shop.Address, shop.Price, shop.Phone, shop.Shirt, shop.Article, User, Group):
            model.objects.all().delete()
        shop.Document.history.all().delete()
        ACCEPTED[name]()


class Admin:
    """A user of the admin; each page must answer as it does on SQL."""

    def __init__(self) -> None:
        User.objects.filter(username="admin").delete()
        User.objects.create_superuser("admin", "", "secret")
        self.client = Client(raise_request_exception=True)
        self.client.post("/admin/login/", {"username": "admin", "password": "secret"})

    def post(self, path: str, data: dict[str, Any]) -> None:
        answer = self.client.post(f"/admin/{path}", data)
        if answer.status_code != 302:
            raise AssertionError(f"{path}: {answer.status_code} {_errors(answer)}")

    def read(self, path: str) -> None:
        answer = self.client.get(f"/admin/{path}")
        assert answer.status_code == 200, f"{path}: {answer.status_code}"

    def through(self, model: Any, data: dict[str, Any]) -> None:
        """Add, change, history, list, delete."""
        place = f"{model._meta.app_label}/{model._meta.model_name}/"
        before = set(model.objects.values_list("pk", flat=True))
        self.post(f"{place}add/", data)
        (pk,) = set(model.objects.values_list("pk", flat=True)) - before
        self.read(f"{place}{pk}/change/")
        self.post(f"{place}{pk}/change/", data)
        self.read(f"{place}{pk}/history/")
        self.read(place)
        self.post(f"{place}{pk}/delete/", {"post": "yes"})
        assert not model.objects.filter(pk=pk).exists()


def _errors(answer: Any) -> str:
    form = (answer.context or {}).get("adminform")
    return str(form.form.errors.as_json()) if form else answer.content.decode()[:500]


def _admin_pages() -> Iterator[tuple[str, Run]]:
    for name, (model, data) in FORMS.items():
        if model is shop.Dog:
            continue  # Polymorphic's admin asks for the kind first.
        yield f"the admin of {name}", lambda model=model, data=data: Admin().through(model, data)
    group = {"name": "group", "permissions": []}
    yield "the admin of groups", lambda: Admin().through(Group, group)
    site = {"domain": "x.example", "name": "x"}
    yield "the admin of sites", lambda: Admin().through(Site, site)


ACCEPTED |= dict(_admin_pages())


@accepted
def the_admins_own_pages() -> None:
    admin = Admin()
    for path in ("", "password_change/", "auth/user/", "shop/plain/"):
        admin.read(path)
    admin.post(
        "password_change/",
        {"old_password": "secret", "new_password1": "Xy12!abc", "new_password2": "Xy12!abc"},
    )
    admin.post(
        "auth/user/add/",
        {
            "username": "new",
            "usable_password": "true",
            "password1": "Xy12!abc",
            "password2": "Xy12!abc",
        },
    )
    user = User.objects.get(username="new")
    moment = {"date_joined_0": "2024-02-29", "date_joined_1": "12:00:00"}
    group = Group.objects.create(name="editors")
    more = {"is_staff": "on", "groups": [str(group.pk)], "user_permissions": []}
    admin.post(f"auth/user/{user.pk}/change/", {"username": "newer", **moment, **more})
    admin.post(
        "auth/user/",
        {"action": "delete_selected", "_selected_action": [str(user.pk)], "post": "yes"},
    )
    admin.client.post("/admin/logout/")


@accepted
def the_list_of_a_tree() -> None:
    shop.Category.add_root(name="roots")
    Admin().read("shop/category/")


@accepted
def the_admin_of_an_animal() -> None:
    admin = Admin()
    kind = ContentType.objects.get_for_model(shop.Dog)
    path = f"shop/animal/add/?ct_id={kind.pk}"
    admin.post(path, {"name": "Rex", "breed": "husky"})


@accepted
def the_admin_of_a_tree() -> None:
    shop.Category.objects.all().delete()
    data = {"name": "root", "treebeard_position": "sorted-child", "treebeard_ref_node": ""}
    Admin().post("shop/category/add/", data)
