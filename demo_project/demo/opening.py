"""The last steps before the site is served, which make sure that no page of the admin is empty:
profiles, as the admin's Schema tab makes them, a run, transactions, and something in the trash."""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from demo_project.demo.collecting import collect
from demo_project.demo.deployment import Deployment
from demo_project.demo.step import Step, StepFailed
from djongo_services.connections import connections
from djongo_services.introspection.report import Depth

if TYPE_CHECKING:
    from demo_project.archive.models import Loan, Person

PROFILES: dict[str, Depth] = {
    "archive_note": "exact",
    "archive_place": "complete",
    "legacy_cards": "exact",
    "specimens": "sample",
}
CARDS = "legacy_cards"
TYPED_SINCE: dict[str, Any] = {
    "$or": [{"shelf": {"$type": "string"}}, {"acession": {"$exists": True}}]
}
HANDED_OVER = 6
SECONDS = 60


def profile(deployment: Deployment) -> str:
    for name, depth in PROFILES.items():
        _take_profile(name, depth)
    return f"{len(PROFILES)} collections, kept for the Schema tab"


def profile_before(deployment: Deployment) -> str:
    """A profile of the cards without those whose types have changed since: the page "What changed
    since" compares the next profile with this one."""
    cards = connection.database[CARDS]
    typed_since = list(cards.find(TYPED_SINCE))
    ids = {"_id": {"$in": [card["_id"] for card in typed_since]}}
    cards.delete_many(ids)
    try:
        _take_profile(CARDS, "exact")
    finally:
        cards.insert_many(typed_since)
    return f"{CARDS} without {len(typed_since)} cards that came later"


def _take_profile(name: str, depth: Depth) -> None:
    # Here, because the admin registers its models when it is imported.
    from djongo_services.admin.profiles.keeping import Order, Profiles, room, run_in_background

    profiles = Profiles(connection.database, name)
    run = profiles.begin(depth=depth, by="the demo")
    if run is None:
        raise StepFailed(f"A profile of {name} is already running.")
    order = Order(
        connection=connections["default"], collection=name, depth=depth, by="the demo", run=run
    )
    if not room.reserve():
        raise StepFailed("This process is already running several profiles.")
    run_in_background(order)
    if not order.ended.wait(SECONDS):
        raise StepFailed(f"The profile of {name} takes longer than {SECONDS} s.")
    found, _ = profiles.read(whole=False)
    if found is None or found.status != "done":
        raise StepFailed(f"The profile of {name} ended as {found and found.status}.")


def apply_one(deployment: Deployment) -> str:
    """A run that can be rolled back, because nothing has changed since it."""
    label = "archive.Place"
    call_command("syncmongoschema", label, noinput=True, verbosity=0, stdout=io.StringIO())
    return f"what the models want of {label}"


def hand_loans_over(deployment: Deployment) -> str:
    """Content for the page of transactions: some that commit, some that fail on purpose, and two at
    the same time for one loan, of which one is retried."""
    # Here, because the steps are also read where the archive is not installed.
    from demo_project.archive.models import Loan

    loans = Loan.objects.filter(returned_on=None)[:HANDED_OVER]
    with _quiet("django.request"):
        statuses = Counter(
            status
            for place, loan in enumerate(loans)
            for status in _hand_over(loan, fails=place % 3 == 2, at_once=1 + (place == 0))
        )
    said = ", ".join(f"{number} by {status}" for status, number in sorted(statuses.items()))
    if not statuses[302]:
        raise StepFailed(f"No loan was handed over: {said}.")
    return f"{len(loans)} loans; answered: {said}"


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Keep deliberate failures out of the terminal, where they would look like defects."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _hand_over(loan: Loan, *, fails: bool, at_once: int) -> list[int]:
    from demo_project.archive.models import Person

    url = reverse(f"archive:{'fail_to_hand_over' if fails else 'hand_over'}", args=[loan.pk])
    others = Person.objects.filter(is_active=True).exclude(pk=loan.borrower_id)

    def post(person: Person) -> int:
        client = Client(HTTP_HOST="localhost", raise_request_exception=False)
        return client.post(url, {"borrower": person.slug}).status_code

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(post, others[:at_once]))


def fill_trash(deployment: Deployment) -> str:
    """Files that can be restored on the admin's pages: the older revisions of the first plate."""
    said = collect(deployment, "trash.txt", "--only", "superseded", "--noinput")
    return said.strip().splitlines()[-1]


STEPS = (
    Step(name="earlier profile", run=profile_before),
    Step(name="profiles", run=profile),
    Step(name="run", run=apply_one),
    Step(name="loans", run=hand_loans_over),
    Step(name="trash", run=fill_trash),
)
