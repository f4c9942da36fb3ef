"""Celery with a broker and results in folders; its processes are forked when MongoDB was used."""

from __future__ import annotations

import os

import django

django.setup()

from celery import Celery  # noqa: E402  (after django.setup())

from djongo_services.transaction import atomic, run_in_transaction  # noqa: E402
from tests.transaction.packages.site import (  # noqa: E402
    add_one,
    database,
    prepare,
    work_that_tells,
)

FOLDER = os.environ["PACKAGES_CELERY"]

app = Celery("packages", broker="filesystem://", backend=f"file://{FOLDER}/results")
app.conf.update(
    broker_transport_options={
        "data_folder_in": f"{FOLDER}/queue",
        "data_folder_out": f"{FOLDER}/queue",
        "control_folder": f"{FOLDER}/control",
    },
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)

prepare()
database().client.admin.command("ping")


@app.task
def write(fail: bool) -> str:
    with atomic():
        work_that_tells()
        if fail:
            raise ZeroDivisionError
    return "written"


@app.task
def count() -> str:
    run_in_transaction(add_one, max_attempts=100)
    return "counted"
