"""Django's apps that the demo does not have, with ObjectId keys."""

from django.contrib.flatpages.apps import FlatPagesConfig
from django.contrib.redirects.apps import RedirectsConfig
from django.contrib.sites.apps import SitesConfig

OBJECT_ID = "django_mongodb_backend.fields.ObjectIdAutoField"


class MongoFlatPagesConfig(FlatPagesConfig):
    default_auto_field = OBJECT_ID


class MongoRedirectsConfig(RedirectsConfig):
    default_auto_field = OBJECT_ID


class MongoSitesConfig(SitesConfig):
    default_auto_field = OBJECT_ID
