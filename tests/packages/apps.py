"""Apps of Django and of others with the primary keys that django-mongodb-backend requires."""

from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig
from django.contrib.auth.apps import AuthConfig as DjangoAuthConfig
from django.contrib.contenttypes.apps import ContentTypesConfig as DjangoContentTypesConfig
from django.contrib.flatpages.apps import FlatPagesConfig
from django.contrib.redirects.apps import RedirectsConfig as DjangoRedirectsConfig
from django.contrib.sites.apps import SitesConfig as DjangoSitesConfig
from taggit.apps import TaggitAppConfig

OBJECT_ID = "django_mongodb_backend.fields.ObjectIdAutoField"


class AdminConfig(DjangoAdminConfig):
    default_auto_field = OBJECT_ID


class AuthConfig(DjangoAuthConfig):
    default_auto_field = OBJECT_ID


class ContentTypesConfig(DjangoContentTypesConfig):
    default_auto_field = OBJECT_ID


class FlatpagesConfig(FlatPagesConfig):
    default_auto_field = OBJECT_ID


class RedirectsConfig(DjangoRedirectsConfig):
    default_auto_field = OBJECT_ID


class SitesConfig(DjangoSitesConfig):
    default_auto_field = OBJECT_ID


class TaggitConfig(TaggitAppConfig):
    default_auto_field = OBJECT_ID
