"""The demo's project as a site in production: without DEBUG."""

from demo_project.settings import *  # noqa: F403
from demo_project.settings import DJONGO_SERVICES as OF_DEMO

DEBUG = False
ALLOWED_HOSTS = ["*"]
# A page that is cut off has no figure; what takes too long is to be seen.
DJONGO_SERVICES = {**OF_DEMO, "ADMIN": {"TIMEOUT": 60}}
