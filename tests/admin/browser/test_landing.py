"""From the demo's landing page, everything that the admin can do is two clicks away."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.admin.browser.driver import Browser


@dataclass(frozen=True, kw_only=True)
class Trial:
    what: str
    first: str
    """The link on the landing page."""
    then: str
    """The second click, on the page behind the first."""
    shows: str
    """The text that the page then shows."""


TRIALS = (
    Trial(
        what="filters of the dashboard",
        first="All collections",
        then=".mongo-states a[href*='state=differs']",
        shows="archive_loan",
    ),
    Trial(
        what="menu of an index",
        first="Indexes",
        then=".mongo-menu summary",
        shows="Hide",
    ),
    Trial(
        what="definition of an index",
        first="Indexes",
        then=".mongo-definition summary",
        shows='"key"',
    ),
    Trial(
        what="fields that fold",
        first="The shape of legacy_cards",
        then=".mongo-field-tree details details > summary",
        shows="provenance",
    ),
    Trial(
        what="values of fields",
        first="The shape of legacy_cards",
        then=".mongo-field-values a",
        shows="Hide the values",
    ),
    Trial(
        what="documents",
        first="The documents",
        then=".mongo-card-document h3 a",
        shows="Canonical Extended JSON",
    ),
    Trial(
        what="what violates a rule",
        first="A validator",
        then=".mongo-rule-table td a[href*='breaks=']",
        shows="Documents that break the rule",
    ),
    Trial(
        what="reasons of violators",
        first="A validator",
        then=".mongo-violators button, form[action$='/explain/'] button",
        shows="name",
    ),
    Trial(
        what="chart of files",
        first="The bucket",
        then=".mongo-bucket h2 a",
        shows="In the trash",
    ),
    Trial(
        what="trash",
        first="Garbage",
        then="a[href*='state=trash']",
        shows="superseded",
    ),
    Trial(
        what="a dry run of the collector",
        first="Garbage",
        then="form[action$='/dry/'] button",
        shows="Found: 9 items",
    ),
    Trial(
        what="a file that is broken",
        first="A broken file",
        then="a[href='#health']",
        shows="1 of 2 present",
    ),
    Trial(
        what="transactions",
        first="The last hour",
        then=".mongo-chart",
        shows="archive:hand_over",
    ),
    Trial(
        what="before and after",
        first="The plan",
        then="details:has(.mongo-diff) summary",
        shows='"name"',
    ),
    Trial(
        what="applying a plan",
        first="The plan",
        then=".mongo-exports .mongo-button",
        shows="Waits for",
    ),
    Trial(
        what="a run",
        first="Run history",
        then=".mongo-table tbody a",
        shows="Can be undone",
    ),
    Trial(
        what="what changed since",
        first="What changed since",
        then=".mongo-since button",
        shows="acession",
    ),
    Trial(
        what="upload",
        first="Upload",
        then=".mongo-drop",
        shows="Or drop files anywhere",
    ),
)


@pytest.mark.parametrize("trial", TRIALS, ids=[trial.what for trial in TRIALS])
def test_in_two_clicks(page: Browser, trial: Trial) -> None:
    page.open("/")
    page.click_link(trial.first)
    page.touch(trial.then)
    page.wait_for_any_case(trial.shows)
