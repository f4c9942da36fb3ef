"""Content types in groups that users know."""

from __future__ import annotations

from typing import Literal

from django.utils.translation import gettext as _

Family = Literal["image", "video", "audio", "text", "document", "archive", "other"]
FAMILIES: tuple[Family, ...] = (
    "image",
    "video",
    "audio",
    "text",
    "document",
    "archive",
    "other",
)

_BY_MAIN_TYPE: dict[str, Family] = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    "text": "text",
    "font": "other",
}
_TEXT = frozenset(
    {
        "application/javascript",
        "application/json",
        "application/sql",
        "application/toml",
        "application/x-ndjson",
        "application/x-sh",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
    }
)
_DOCUMENTS = (
    "application/epub",
    "application/msword",
    "application/pdf",
    "application/postscript",
    "application/rtf",
    "application/vnd.ms-",
    "application/vnd.oasis.opendocument.",
    "application/vnd.openxmlformats-officedocument.",
)
_ARCHIVES = frozenset(
    {
        "application/gzip",
        "application/java-archive",
        "application/vnd.rar",
        "application/x-7z-compressed",
        "application/x-brotli",
        "application/x-bzip2",
        "application/x-compress",
        "application/x-rar-compressed",
        "application/x-tar",
        "application/x-xz",
        "application/zip",
        "application/zstd",
    }
)


def family_of(content_type: str) -> Family:
    essence = content_type.partition(";")[0].strip().lower()
    if found := _BY_MAIN_TYPE.get(essence.partition("/")[0]):
        return found
    if essence in _TEXT or (essence.startswith("application/") and essence.endswith("+json")):
        return "text"
    if essence.startswith(_DOCUMENTS):
        return "document"
    return "archive" if essence in _ARCHIVES else "other"


def family_name(family: Family) -> str:
    return {
        "image": _("Images"),
        "video": _("Video"),
        "audio": _("Audio"),
        "text": _("Text"),
        "document": _("Documents"),
        "archive": _("Archives"),
        "other": _("Other"),
    }[family]
