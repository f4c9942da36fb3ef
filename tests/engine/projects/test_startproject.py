"""The requirements of a project in docs/engine.md, followed to the letter in an empty folder."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from tests.engine.projects.building import ROOT, Project, succeeded
from tests.engine.projects.serving import served

MORE_APPS = """
    INSTALLED_APPS += [
        "django.contrib.sites", "django.contrib.flatpages", "django.contrib.redirects", "shop",
    ]
    SITE_ID = 1
"""
MODELS = """
    from django.contrib.auth.models import User
    from django.db import models


    class Tag(models.Model):
        label = models.SlugField(unique=True)


    class Book(models.Model):
        title = models.CharField(max_length=20)
        owner = models.ForeignKey(User, models.CASCADE)
        tags = models.ManyToManyField(Tag)
"""
ADMIN = """
    from django.contrib import admin

    from shop.models import Book, Tag

    admin.site.register([Book, Tag])
"""


@pytest.fixture
def mysite(project: Project) -> Project:
    """``django-admin startproject mysite .``, and the lines of the document."""
    succeeded(
        project.run("django", "startproject", "mysite", ".", env={"DJANGO_SETTINGS_MODULE": ""})
    )
    document = (ROOT / "docs" / "engine.md").read_text()
    match = re.search(r"```python\n# settings.py\n(.*?)```", document, re.DOTALL)
    assert match is not None
    lines = match[1].replace("mongodb://localhost:27017/?replicaSet=rs0", project.uri)
    lines = lines.replace('"NAME": "mysite"', f'"NAME": "{project.database}"')
    assert project.uri in lines
    assert project.database in lines
    settings = project.folder / "mysite" / "settings.py"
    settings.write_text(f"{settings.read_text()}\n{lines}")
    return replace(project, settings="mysite.settings")


def manage(project: Project, *arguments: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=project.folder,
        env=project.environment(env),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return str(succeeded(done))


def add_to_settings(project: Project, lines: str) -> None:
    path = project.folder / "mysite" / "settings.py"
    text = path.read_text() + "\n"
    project.write({"mysite/settings.py": ""})
    path.write_text(text + "\n".join(line.removeprefix("    ") for line in lines.splitlines()))


def test_a_new_project_has_its_admin(mysite: Project, real: Database[dict[str, Any]]) -> None:
    assert "no issues" in manage(mysite, "check")
    assert "Applying auth.0012_alter_user_first_name_max_length... OK" in manage(mysite, "migrate")
    assert "No changes detected" in manage(mysite, "makemigrations", "--check")
    assert "No migrations to apply" in manage(mysite, "migrate")
    superuser = {"DJANGO_SUPERUSER_PASSWORD": "secret of ada"}
    manage(mysite, "createsuperuser", "--noinput", "--username=ada", "--email=a@b.de", **superuser)
    with served(mysite.folder, mysite.environment()) as browser:
        page = browser.post("/admin/login/?next=/admin/", username="ada", password="secret of ada")
        assert "Site administration" in page
        assert "was added successfully" in browser.post("/admin/auth/group/add/", name="readers")
        group = real.auth_group.find_one({"name": "readers"})
        assert group is not None
        assert isinstance(group["_id"], ObjectId)
        change = f"/admin/auth/group/{group['_id']}/change/"
        assert "was changed successfully" in browser.post(change, name="writers")
        assert "Changed Name." in browser.get(f"/admin/auth/group/{group['_id']}/history/")
        delete = f"/admin/auth/group/{group['_id']}/delete/"
        assert "was deleted successfully" in browser.post(delete, post="yes")
        assert real.auth_group.find_one() is None
    assert real.django_session.count_documents({}) == 1
    assert all("id" not in user for user in real.auth_user.find())


def test_apps_of_others_and_ones_own(mysite: Project, real: Database[dict[str, Any]]) -> None:
    manage(mysite, "startapp", "shop")
    mysite.write({"shop/models.py": MODELS, "shop/admin.py": ADMIN})
    add_to_settings(mysite, MORE_APPS)
    assert "Create model Book" in manage(mysite, "makemigrations")
    migration = (mysite.folder / "shop" / "migrations" / "0001_initial.py").read_text()
    assert "django_mongodb_backend.fields.ObjectIdAutoField(auto_created=True" in migration
    manage(mysite, "migrate")
    assert "No changes detected" in manage(mysite, "makemigrations", "--check")
    out = manage(
        mysite,
        "shell",
        "-c",
        """
from django.contrib.auth.models import Permission, User
from django.contrib.flatpages.models import FlatPage
from django.contrib.redirects.models import Redirect
from django.contrib.sites.models import Site
from shop.models import Book, Tag
site = Site.objects.get_current()
page = FlatPage.objects.create(url="/about/", title="About")
page.sites.add(site)
Redirect.objects.create(site=site, old_path="/a", new_path="/b")
print("found", FlatPage.objects.get(sites=1).title, Redirect.objects.get(site_id="1").new_path)
ada = User.objects.create_user("ada")
ada.user_permissions.add(Permission.objects.get(codename="add_book"))
print("may", User.objects.get(pk=ada.pk).has_perm("shop.add_book"))
book = Book.objects.create(title="Ice", owner=ada)
book.tags.set([Tag.objects.create(label=one) for one in "ab"])
print("tagged", sorted(book.tags.values_list("label", flat=True)))
""",
    )
    assert "found About /b" in out
    assert "may True" in out
    assert "tagged ['a', 'b']" in out
    site = real.django_site.find_one()
    assert site is not None
    assert site["_id"] == ObjectId("000000000000000000000001")
    for name in real.list_collection_names():
        keys = [one["_id"] for one in real[name].find()]
        text_keys = name == "django_session"
        assert all(isinstance(key, str if text_keys else ObjectId) for key in keys), name


BACKENDS_WAY = """
    INSTALLED_APPS = [
        "mysite.apps.MongoAdminConfig",
        "mysite.apps.MongoAuthConfig",
        "mysite.apps.MongoContentTypesConfig",
        "django.contrib.sessions",
        "django.contrib.messages",
        "djongo_services",
    ]
    DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
    MIGRATION_MODULES = {
        "admin": "mongo_migrations.admin",
        "auth": "mongo_migrations.auth",
        "contenttypes": "mongo_migrations.contenttypes",
    }
"""
APPS = """
    from django.contrib.admin.apps import AdminConfig
    from django.contrib.auth.apps import AuthConfig
    from django.contrib.contenttypes.apps import ContentTypesConfig

    KEY = "django_mongodb_backend.fields.ObjectIdAutoField"


    class MongoAdminConfig(AdminConfig):
        default_auto_field = KEY


    class MongoAuthConfig(AuthConfig):
        default_auto_field = KEY


    class MongoContentTypesConfig(ContentTypesConfig):
        default_auto_field = KEY
"""


def test_the_backends_way_stays_possible(mysite: Project, real: Database[dict[str, Any]]) -> None:
    mysite.write(
        {
            "mysite/apps.py": APPS,
            "mongo_migrations/__init__.py": "",
            **{
                f"mongo_migrations/{one}/__init__.py": ""
                for one in ("admin", "auth", "contenttypes")
            },
        }
    )
    add_to_settings(mysite, BACKENDS_WAY)
    made = manage(mysite, "makemigrations", "admin", "auth", "contenttypes")
    assert "mongo_migrations/auth/0001_initial.py" in made
    manage(mysite, "migrate")
    assert "No changes detected" in manage(mysite, "makemigrations", "--check")
    applied = [one["name"] for one in real.django_migrations.find({"app": "auth"})]
    assert applied == ["0001_initial"]


MODEL = "from django.db import models\n\n\nclass Thing(models.Model):\n    "
ROUTED = """
    DATABASES["sql"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}
    DATABASE_ROUTERS = ["mysite.routers.ToSql"]
    INSTALLED_APPS += ["shop", "accounts"]
"""
ROUTER = """
    class ToSql:
        def db_for_read(self, model, **hints):
            return "sql" if model._meta.app_label == "accounts" else None

        db_for_write = db_for_read

        def allow_migrate(self, db, app_label, **hints):
            return (db == "sql") == (app_label == "accounts")
"""


def test_apps_in_another_database_keep_their_integers(mysite: Project) -> None:
    manage(mysite, "startapp", "shop")
    manage(mysite, "startapp", "accounts")
    thing = f"{MODEL}n = models.IntegerField()\n"
    mysite.write(
        {"shop/models.py": thing, "accounts/models.py": thing, "mysite/routers.py": ROUTER}
    )
    add_to_settings(mysite, ROUTED)
    manage(mysite, "makemigrations")
    text = (mysite.folder / "accounts" / "migrations" / "0001_initial.py").read_text()
    assert "models.BigAutoField" in text
    manage(mysite, "migrate")
    manage(mysite, "migrate", "--database", "sql")
    assert "No changes detected" in manage(mysite, "makemigrations", "--check")
    out = manage(
        mysite,
        "shell",
        "-c",
        "from accounts.models import Thing as A\nfrom shop.models import Thing as S\n"
        "print(A.objects.create(n=1).pk, type(S.objects.create(n=1).pk).__name__)",
    )
    assert "1 ObjectId" in out


def test_a_key_that_a_model_declares_stays(mysite: Project) -> None:
    manage(mysite, "startapp", "shop")
    mysite.write({"shop/models.py": f"{MODEL}id = models.BigAutoField(primary_key=True)\n"})
    add_to_settings(mysite, '    INSTALLED_APPS += ["shop"]')
    done = mysite.run("django", "check", "--database", "default")
    assert done.returncode == 1
    assert "mongodb.E001" in done.stderr
