"""Stands for a migration of the library that nobody has applied."""

from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = []
