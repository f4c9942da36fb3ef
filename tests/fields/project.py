"""A site on MongoDB whose models have keys of any BSON type, with Django's own ModelAdmin."""

from __future__ import annotations

SETTINGS = """
    from tests.admin.conftest import TEMPLATES as TEMPLATES
    from tests.settings_backend import *
    import os

    INSTALLED_APPS = [
        "tests.admin.apps.MongoAdminConfig", "tests.backend_app.apps.MongoContentTypesConfig",
        "tests.backend_app.apps.MongoAuthConfig", "django.contrib.sessions",
        "django.contrib.messages", "djongo_services", "keyed",
    ]
    MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]
    SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    DATABASES["default"]["NAME"] = os.environ["KEYED_DATABASE"]
    MIGRATION_MODULES = {"contenttypes": None, "auth": None, "admin": None}
    ROOT_URLCONF = "keyed.urls"
    LANGUAGE_CODE = "en"
    USE_THOUSAND_SEPARATOR = True
"""
URLS = """
    from django.contrib import admin
    from django.urls import path

    urlpatterns = [path("admin/", admin.site.urls)]
"""
MODELS = """
    from django.db import models
    from django_mongodb_backend.fields import (
        ArrayField, EmbeddedModelArrayField, EmbeddedModelField,
    )
    from django_mongodb_backend.models import EmbeddedModel
    from djongo_services.modelfields import BSONField

    class Thing(models.Model):
        id = BSONField(primary_key=True, db_column="_id")
        name = models.CharField(max_length=50)
        count = models.IntegerField(default=0)

        class Meta:
            permissions = [("approve_thing", "Can approve")]

        def __str__(self):
            return self.name

    class Part(models.Model):
        thing = models.ForeignKey(Thing, models.CASCADE, null=True, blank=True)
        raw = models.ForeignKey(Thing, models.CASCADE, null=True, blank=True, related_name="raws")
        auto = models.ForeignKey(Thing, models.CASCADE, null=True, blank=True, related_name="autos")

    class Inner(EmbeddedModel):
        value = BSONField(null=True, blank=True)
        label = models.CharField(max_length=3)

    class Holder(models.Model):
        value = BSONField(null=True, blank=True)
        required = BSONField()
        values = ArrayField(BSONField(), null=True, blank=True)
        nested = ArrayField(ArrayField(BSONField()), null=True, blank=True)
        inner = EmbeddedModelField(Inner)
        inners = EmbeddedModelArrayField(Inner, null=True, blank=True)
"""
ADMIN = """
    from django.contrib import admin
    from keyed.models import Holder, Part, Thing

    class PartInline(admin.TabularInline):
        model = Part
        fk_name = "thing"
        extra = 0

    @admin.action
    def mark(modeladmin, request, queryset):
        queryset.update(count=7)

    @admin.register(Thing)
    class ThingAdmin(admin.ModelAdmin):
        list_display = ["name", "pk", "count"]
        list_editable = ["count"]
        search_fields = ["name"]
        actions = [mark]
        inlines = [PartInline]

    @admin.register(Part)
    class PartAdmin(admin.ModelAdmin):
        raw_id_fields = ["raw"]
        autocomplete_fields = ["auto"]

    admin.site.register(Holder)
"""
FILES = {
    "settings_keyed.py": SETTINGS,
    "keyed/__init__.py": "",
    "keyed/urls.py": URLS,
    "keyed/models.py": MODELS,
    "keyed/admin.py": ADMIN,
}
PRELUDE = """
import html, io, json, os, re
from datetime import datetime
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from keyed.models import *

things = connection.database["keyed_thing"]
OID = ObjectId("65f000000000000000000001")
KEYS = [
    1, "1", 2.5, "2.5", Int64(2**40), str(2**40), OID, str(OID), True, "True", None, "None",
    Decimal128("0.1"), 0.1, "0.1", Binary(b"0" * 16, 4), Binary(b"a_b/c", 0), b"\\xff",
    "$num:x", "$num:01", 1e300, -1e-7,
    datetime(2024, 1, 31, 10, 0, 0, 123000), "2024-01-31T10:00:00.123", Timestamp(3, 4),
    {"a": 1, "b": "x/_2F,y"}, {"b": "x/_2F,y", "a": 1}, {"a": Int64(1), "z": {}}, "{'a': 1}",
    DBRef("c", OID), MinKey(), MaxKey(), float("nan"), -3, "a/b_2F?c=d&e#f", "\\u00e4 <b>\\"'",
]

def fill(keys=KEYS):
    things.delete_many({})
    things.insert_many(
        {"_id": key, "name": f"n{at}", "count": Int64(0)} for at, key in enumerate(keys))

def same(one, other):
    import bson
    return bson.encode({"": one}) == bson.encode({"": other})

def fields(page):
    # What a browser would send.
    found = {}
    for tag in re.findall(r"<input[^>]*>", page):
        kind, name, value = (
            re.search(rf' {each}="([^"]*)"', tag) for each in ("type", "name", "value"))
        if name and kind[1] not in ("checkbox", "submit"):
            found[name[1]] = html.unescape(value[1]) if value else ""
    for name, text in re.findall(r'(?s)<textarea name="([^"]*)"[^>]*>\\n?(.*?)</textarea>', page):
        found[name] = html.unescape(text)
    return found

client = Client()
client.force_login(User.objects.create_superuser("root"))
URL = "/admin/keyed/thing/"
"""
