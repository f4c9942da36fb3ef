"""Queues of a project: orders that wait in a list, a queue that is down, and Django's tasks."""

from __future__ import annotations

import json
from typing import Any

from django_tasks import task

waiting: list[str] = []


def put(order: dict[str, Any]) -> None:
    waiting.append(json.dumps(order))


def refuse(order: dict[str, Any]) -> None:
    raise ConnectionError("secret address")


@task
def admin_job(order: dict[str, Any]) -> str | None:
    from djongo_services.admin.queue import run_job

    return run_job(order)  # type: ignore[arg-type]  # as JSON has it


def enqueue(order: dict[str, Any]) -> None:
    admin_job.enqueue(order)
