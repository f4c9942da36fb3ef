"""The site for gunicorn; with PACKAGES_PRELOAD it uses MongoDB before the workers are forked."""

import os

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

if "PACKAGES_PRELOAD" in os.environ:
    from tests.backend_app.models import Author
    from tests.transaction.packages.site import database, prepare

    prepare()
    database().client.admin.command("ping")
    Author.objects.using("mongo").count()
