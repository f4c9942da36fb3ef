"""The last step before the site is served: profiles, taken as the admin's Schema tab takes them."""

from __future__ import annotations

from django.db import connection

from demo_project.demo.deployment import Deployment
from demo_project.demo.step import Step, StepFailed
from djongo_services.connections import connections
from djongo_services.introspection.report import Depth

PROFILES: dict[str, Depth] = {
    "archive_note": "exact",
    "archive_place": "complete",
    "legacy_cards": "exact",
    "specimens": "sample",
}
SECONDS = 60


def profile(deployment: Deployment) -> str:
    # Here, because the admin registers its models when it is imported.
    from djongo_services.admin.profiles.keeping import Profiles
    from djongo_services.admin.profiles.running import Order, reserve, run_in_background

    for name, depth in PROFILES.items():
        profiles = Profiles(connection.database, name)
        run = profiles.begin(depth=depth, by="the demo")
        if run is None:
            raise StepFailed(f"A profile of {name} is being taken already.")
        order = Order(
            connection=connections["default"], collection=name, depth=depth, by="the demo", run=run
        )
        if not reserve():
            raise StepFailed("This process takes several profiles already.")
        run_in_background(order)
        if not order.ended.wait(SECONDS):
            raise StepFailed(f"The profile of {name} takes longer than {SECONDS} s.")
        found, _ = profiles.read(whole=False)
        if found is None or found.status != "done":
            raise StepFailed(f"The profile of {name} ended as {found and found.status}.")
    return f"{len(PROFILES)} collections, kept for the Schema tab"


STEPS = (Step(name="profiles", run=profile),)
