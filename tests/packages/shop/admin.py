from django.contrib import admin
from polymorphic.admin import PolymorphicChildModelAdmin, PolymorphicParentModelAdmin
from simple_history.admin import SimpleHistoryAdmin
from treebeard.admin import TreeAdmin
from treebeard.forms import movenodeform_factory

from tests.packages.shop import models

admin.site.register(
    [models.Plain, models.Address, models.Price, models.Phone, models.Shirt, models.Article]
)
admin.site.register(models.Post)
admin.site.register(models.Document, SimpleHistoryAdmin)


@admin.register(models.Category)
class CategoryAdmin(TreeAdmin):
    form = movenodeform_factory(models.Category)


@admin.register(models.Dog)
class DogAdmin(PolymorphicChildModelAdmin):
    base_model = models.Animal


@admin.register(models.Animal)
class AnimalAdmin(PolymorphicParentModelAdmin):
    base_model = models.Animal
    child_models = [models.Dog]
