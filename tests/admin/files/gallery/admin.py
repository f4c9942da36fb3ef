from django.contrib import admin
from django.db import models

from djongo_services.admin import GridFSFileWidget
from tests.admin.files.gallery.models import Picture


@admin.register(Picture)
class PictureAdmin(admin.ModelAdmin):
    formfield_overrides = {models.FileField: {"widget": GridFSFileWidget}}
