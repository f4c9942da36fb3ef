"""The demo under a strict Content-Security-Policy, in the language of the browser's cookie."""

from demo_project.settings import *  # noqa: F403
from demo_project.settings import MIDDLEWARE

MIDDLEWARE = [
    "tests.admin.policy.StrictPolicyMiddleware",
    *MIDDLEWARE,
    "django.middleware.locale.LocaleMiddleware",
]
