"""The demo's project as a site in production: without DEBUG."""

from demo_project.settings import *  # noqa: F403
from demo_project.settings import DJONGO_SERVICES as OF_DEMO

DEBUG = False
ALLOWED_HOSTS = ["*"]
# A page that is cut off by the time limit cannot be measured; slow pages should show their time.
DJONGO_SERVICES = {**OF_DEMO, "ADMIN": {"TIMEOUT": 60}}
