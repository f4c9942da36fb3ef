from django.contrib import admin

from djongo_services.admin import MongoAdminMixin
from tests.admin.shelf.models import Shelf, Tome


class TomeInline(admin.TabularInline):
    model = Tome
    extra = 0


@admin.register(Shelf)
class ShelfAdmin(MongoAdminMixin, admin.ModelAdmin):
    inlines = [TomeInline]


@admin.register(Tome)
class TomeAdmin(MongoAdminMixin, admin.ModelAdmin):
    list_display = ["title", "pages"]
    list_editable = ["pages"]
