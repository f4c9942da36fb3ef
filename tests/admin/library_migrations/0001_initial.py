"""A stand-in for a migration of the library that has not been applied."""

from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = []
