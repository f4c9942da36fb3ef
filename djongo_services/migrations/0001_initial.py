"""Only state: the models have no tables, and ``migrate`` creates their permissions."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Collection",
            fields=[("key", models.TextField(primary_key=True, serialize=False))],
            options={
                "verbose_name": "collection",
                "verbose_name_plural": "collections",
                "db_table": "djongo_services_collection",
                "managed": False,
                "default_permissions": ("view", "change", "delete"),
                "permissions": (
                    ("view_documents", "Can view documents of collections"),
                    ("query_documents", "Can query documents with operators of MongoDB"),
                    ("view_secrets", "Can view secrets in documents"),
                ),
            },
        ),
        migrations.CreateModel(
            name="Transaction",
            fields=[("key", models.TextField(primary_key=True, serialize=False))],
            options={
                "verbose_name": "transaction",
                "verbose_name_plural": "transactions",
                "db_table": "djongo_services_transaction",
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="File",
            fields=[("key", models.TextField(primary_key=True, serialize=False))],
            options={
                "verbose_name": "file",
                "verbose_name_plural": "files",
                "db_table": "djongo_services_file",
                "managed": False,
                "default_permissions": ("add", "view", "change", "delete"),
            },
        ),
    ]
