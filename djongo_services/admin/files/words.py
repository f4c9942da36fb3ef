"""Numbers of things, in the reader's language."""

from __future__ import annotations

from django.utils.translation import ngettext

from djongo_services.introspection.rendering.numbers import count


def files_text(number: int) -> str:
    return ngettext("%(count)s file", "%(count)s files", number) % {"count": count(number)}


def uploads_text(number: int) -> str:
    text = ngettext("%(count)s upload under way", "%(count)s uploads under way", number)
    return text % {"count": count(number)}


def trash_text(number: int) -> str:
    text = ngettext("%(count)s in the trash", "%(count)s in the trash", number)
    return text % {"count": count(number)}


def chunks_text(number: int) -> str:
    return ngettext("%(count)s chunk", "%(count)s chunks", number) % {"count": count(number)}
