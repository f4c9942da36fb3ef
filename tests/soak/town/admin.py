"""The pages of the town's models."""

from __future__ import annotations

from django.contrib import admin

from tests.soak.town.models import Account, Paper, Transfer

admin.site.register([Account, Paper, Transfer])
