"""The steps that fill the database."""

from __future__ import annotations

import io

from django.contrib.auth import get_user_model
from django.core.management import call_command

from demo_project.demo.deployment import Deployment
from demo_project.demo.step import Step
from demo_project.environment import DEMO_USER

USER = PASSWORD = DEMO_USER


def migrate(deployment: Deployment) -> str:
    call_command("migrate", verbosity=0, interactive=False)
    return f"database {deployment.database}"


def seed(deployment: Deployment) -> str:
    output = io.StringIO()
    call_command("seed_demo", size=deployment.size, stdout=output, no_color=True)
    return output.getvalue().strip()


def make_superuser(deployment: Deployment) -> str:
    users = get_user_model()._default_manager
    if users.filter(username=USER).exists():
        return f"{USER} is there already"
    users.create_superuser(USER, "admin@museum.example", PASSWORD)
    return f"{USER}, password {PASSWORD}"


STEPS = (
    Step(name="migrate", run=migrate, essential=True),
    Step(name="seed_demo", run=seed, essential=True),
    Step(name="superuser", run=make_superuser, essential=True),
)
