"""The demo under a strict Content-Security-Policy."""

from demo_project.settings import *  # noqa: F403
from demo_project.settings import MIDDLEWARE

MIDDLEWARE = ["tests.admin.policy.StrictPolicyMiddleware", *MIDDLEWARE]
