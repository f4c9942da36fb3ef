"""The engine on a sharded cluster."""

import os

from tests.engine.settings import *  # noqa: F403
from tests.engine.settings import DATABASES

DATABASES = {"default": {**DATABASES["default"], "NAME": os.environ["SHARDED_DATABASE"]}}
