"""Sentences in the reader's language, for rooms that also work where Django is not set up.

There, as in a script that only reads a database, sentences are English. What machines read, what is
stored and what is logged is English everywhere: :func:`english`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.apps import apps
from django.utils import translation


def gettext(message: str) -> str:
    return translation.gettext(message) if apps.ready else message


def ngettext(singular: str, plural: str, number: int) -> str:
    if apps.ready:
        return translation.ngettext(singular, plural, number)
    return singular if number == 1 else plural


def pgettext(context: str, message: str) -> str:
    return translation.pgettext(context, message) if apps.ready else message


def gettext_noop(message: str) -> str:
    """Marks a text for ``makemessages``; whoever shows it translates it."""
    return message


def all_of(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *most, last = parts
    words = {"list": ", ".join(most), "last": last}
    return gettext("%(list)s and %(last)s") % words if most else last


def any_of(parts: Sequence[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    *most, last = parts
    words = {"list": ", ".join(most), "last": last}
    return gettext("%(list)s or %(last)s") % words if most else last


@contextmanager
def english() -> Iterator[None]:
    """A block, or as a decorator a function, in which no sentence is translated."""
    if not apps.ready:
        yield
        return
    with translation.override(None):
        yield
