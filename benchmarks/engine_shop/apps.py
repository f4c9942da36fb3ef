from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.auth.apps import AuthConfig
from django.contrib.contenttypes.apps import ContentTypesConfig

KEY = "django_mongodb_backend.fields.ObjectIdAutoField"


class MongoAdminConfig(SimpleAdminConfig):
    default_auto_field = KEY


class MongoAuthConfig(AuthConfig):
    default_auto_field = KEY


class MongoContentTypesConfig(ContentTypesConfig):
    default_auto_field = KEY
