"""Run on a project of kind B: MongoAdminMixin on a model whose rows are in SQL."""

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from tests.admin.shelf.models import Tome

call_command("migrate", run_syncdb=True, verbosity=0)
client = Client()
client.force_login(User.objects.create_superuser("root"))
tome = Tome.objects.create(title="A")
shown = client.get(f"/admin/shelf/tome/{tome.pk}/change/", headers={"host": "testserver"})
saved = client.post(f"/admin/shelf/tome/{tome.pk}/change/", {"title": "B", "pages": 1, "read": 0})
print(shown.status_code, saved.status_code, b"Document in MongoDB" in shown.content)  # noqa: T201
