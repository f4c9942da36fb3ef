"""The admin with the primary keys that the backend requires."""

from django.contrib.admin.apps import AdminConfig

from tests.backend_app.apps import OBJECT_ID


class MongoAdminConfig(AdminConfig):
    default_auto_field = OBJECT_ID
