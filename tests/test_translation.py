"""Sentences where Django is set up, and where it is not."""

from __future__ import annotations

import subprocess
import sys

from django.utils import translation

from djongo_services.durations import about_text, duration_text, elapsed_text
from djongo_services.formatting import about, duration, elapsed
from djongo_services.translation import all_of, any_of, english, gettext, ngettext, pgettext

SCRIPT = """
from djongo_services.translation import all_of, english, gettext, ngettext, pgettext
with english():
    print(gettext("Nothing was done."))
print(ngettext("one", "several", 1), ngettext("one", "several", 2), pgettext("answers", "y"))
print(all_of(["a", "b"]))
"""


def test_without_django_sentences_are_english() -> None:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env={}
    )
    assert run.stdout.splitlines() == ["Nothing was done.", "one several y", "a and b"]


def test_the_active_language() -> None:
    with translation.override("de"):
        assert gettext("Nothing was done.") == "Es wurde nichts geändert."
        assert ngettext("%(count)s day", "%(count)s days", 2) == "%(count)s Tage"
        agrees = "answers that agree, in lower case, with commas in between"
        assert pgettext(agrees, "y,yes") == "j,ja"


def test_lists() -> None:
    assert all_of(["a"]) == any_of(["a"]) == "a"
    assert (all_of(["a", "b"]), any_of(["a", "b"])) == ("a and b", "a or b")
    with translation.override("de"):
        assert all_of(["a", "b", "c"]) == "a, b und c"
        assert any_of(["a", "b", "c"]) == "a, b oder c"


def test_english_in_between() -> None:
    with translation.override("de"):
        with english():
            assert gettext("Nothing was done.") == "Nothing was done."
        assert gettext("Nothing was done.") == "Es wurde nichts geändert."


def test_times_are_those_of_formatting() -> None:
    for seconds in (0, 1, 59.6, 60, 3599.6, 3660, 86_400, 172_800, 172_801, 7 * 86_400, 1e7):
        assert elapsed_text(seconds) == elapsed(seconds)
        assert duration_text(seconds) == duration(seconds)
        assert about_text(seconds / 7, seconds) == about(seconds / 7, seconds)


def test_times_in_german() -> None:
    with translation.override("de"):
        assert elapsed_text(3660) == "1 Stunde 1 Minute"
        assert duration_text(172_800) == "48 Stunden"
        assert about_text(120, 700) == "etwa 2 bis 12 Minuten"
