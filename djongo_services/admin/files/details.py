"""What there is to say of a file, as pairs of a name and a value, and its document as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from djongo_services.admin.files.finding import FoundFile
from djongo_services.admin.files.rows import moment_text, size_text
from djongo_services.introspection.rendering.numbers import count, size
from djongo_services.introspection.rendering.printable import printable
from djongo_services.introspection.rendering.values import extended_json, shortened, value_text
from djongo_services.storage.codecs import plain_size
from djongo_services.storage.errors import CorruptFile

LONGEST_TEXT = 300
MOST_ITEMS = 100
DEEPEST = 12


def facts(found: FoundFile) -> list[dict[str, str]]:
    document, stored = found.document, found.stored
    said = [
        _fact(_("Content type"), printable(stored.content_type)[:200] if stored else ""),
        _fact(_("Size"), _size(found)),
        _fact(_("Chunk size"), size_text(document.get("chunkSize")) if document else ""),
        _fact(_("Uploaded"), moment_text(document.get("uploadDate")) if document else ""),
        _fact(_("SHA-256"), _checksum(found), is_code=True),
        _fact(_("Id"), _id(found), is_code=True),
    ]
    if codecs := _codecs(document):
        said.append(_fact(_("Stored"), codecs))
    if aliases := _aliases(document):
        said.append(_fact(_("Further names"), aliases))
    return [fact for fact in said if fact["value"]]


def document_json(document: Mapping[str, Any]) -> str:
    """Long texts, long lists and deep nesting are cut, so that the page stays one."""
    return shortened(extended_json(_pruned(document, DEEPEST), indent=2), 100_000)


def _fact(name: str, value: str, *, is_code: bool = False) -> dict[str, Any]:
    return {"name": name, "value": value, "is_code": is_code}


def _id(found: FoundFile) -> str:
    return value_text((found.document or found.entry or {}).get("_id"), LONGEST_TEXT)


def _size(found: FoundFile) -> str:
    stored = found.stored
    if stored is None:
        return size_text(found.document.get("length", (found.entry or {}).get("bytes")))
    try:
        plain = plain_size(stored)
    except CorruptFile as error:
        return printable(str(error))
    exact = _("%(count)s bytes") % {"count": count(plain)}
    text = f"{size(plain)} ({exact})"
    if plain == stored.length:
        return text
    return _("%(plain)s, stored as %(stored)s") % {"plain": text, "stored": size(stored.length)}


def _checksum(found: FoundFile) -> str:
    stored = found.stored
    return printable(stored.sha256 or "")[:100] if stored else ""


def _codecs(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    codecs = metadata.get("codecs") if isinstance(metadata, Mapping) else None
    if not isinstance(codecs, list):
        return ""
    names = [str(each.get("name")) for each in codecs[:5] if isinstance(each, Mapping)]
    return shortened(printable(", ".join(names)), LONGEST_TEXT)


def _aliases(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    aliases = metadata.get("aliases") if isinstance(metadata, Mapping) else None
    if not isinstance(aliases, list):
        return ""
    names = [str(each.get("name")) for each in aliases if isinstance(each, Mapping)]
    others = [name for name in names if name != document.get("filename")]
    shown = ", ".join(shortened(printable(name), 100) for name in others[:20])
    return shown if len(others) <= 20 else f"{shown}, …"


def _pruned(value: Any, depth: int) -> Any:
    match value:
        case str():
            return shortened(printable(value[: 2 * LONGEST_TEXT]), LONGEST_TEXT)
        case bytes():
            return value if len(value) <= LONGEST_TEXT else value_text(value)
        case Mapping() if depth:
            items = list(value.items())
            kept = {
                shortened(printable(name[: 2 * LONGEST_TEXT]), LONGEST_TEXT): _pruned(
                    each, depth - 1
                )
                for name, each in items[:MOST_ITEMS]
            }
            return kept if len(items) <= MOST_ITEMS else {**kept, "…": len(items) - MOST_ITEMS}
        case list() if depth:
            kept_items = [_pruned(each, depth - 1) for each in value[:MOST_ITEMS]]
            return kept_items if len(value) <= MOST_ITEMS else [*kept_items, "…"]
        case Mapping() | list():
            return "…"
    return value
