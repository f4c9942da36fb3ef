"""System checks of the project's storages.

============================  =====================================================
``djongo_services.W020``      a failed request loses files, but not their rows
``djongo_services.E021``      a storage follows an alias that DATABASES does not have
``djongo_services.E022``      a public storage has the files of a private one in it
``djongo_services.W023``      files of FileFields do not follow their rows
============================  =====================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db import DEFAULT_DB_ALIAS
from django.db import connections as databases

from djongo_services.middleware_checks import has_middleware
from djongo_services.storage.following.aliases import replaced
from djongo_services.storage.project_storages import encloses, is_public, project_storages


@checks.register(checks.Tags.files)
def check_storages(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    found = list(project_storages())
    return [
        *_check_follow(found),
        *_check_requests(found),
        *_check_privacy(found),
        *(_check_methods() if found else ()),
    ]


def _check_follow(found: list[tuple[str, Any]]) -> Iterator[checks.CheckMessage]:
    for where, storage in found:
        alias = storage.options.follow
        if alias is not None and alias not in databases:
            yield checks.Error(
                f"{where} follows {alias!r}, which is not in DATABASES.",
                hint=f"Known aliases are {', '.join(databases)}.",
                obj=where,
                id="djongo_services.E021",
            )


def _check_methods() -> Iterator[checks.CheckMessage]:
    names = replaced()
    if names:
        yield checks.Warning(
            f"The storages do not know which database a file's row is in, because these methods "
            f"of Django were replaced after django.setup(): {', '.join(names)}. Files follow the "
            f'transactions of "{DEFAULT_DB_ALIAS}".',
            hint="Replace the methods earlier, or call the originals and use functools.wraps.",
            id="djongo_services.W023",
        )


def _check_requests(found: list[tuple[str, Any]]) -> Iterator[checks.CheckMessage]:
    default = databases.settings[DEFAULT_DB_ALIAS]
    if default.get("ATOMIC_REQUESTS") or not has_middleware():
        return
    if databases[DEFAULT_DB_ALIAS].vendor in ("mongodb", "unknown"):
        return
    unsure = [where for where, storage in found if storage.options.follow is None]
    if unsure:
        yield checks.Warning(
            f"MongoTransactionMiddleware rolls back a request that fails, but DATABASES"
            f'["{DEFAULT_DB_ALIAS}"] keeps its rows. A file that such a request saves with '
            f"storage.save() is lost, although a row may refer to it.",
            hint=(
                'Set ATOMIC_REQUESTS to True, or "follow" to an alias in the OPTIONS of the '
                "storage. Files that a FileField saves are not affected."
            ),
            obj=unsure[0],
            id="djongo_services.W020",
        )


def _check_privacy(found: list[tuple[str, Any]]) -> Iterator[checks.CheckMessage]:
    for where, storage in found:
        for other, beside in found:
            if is_public(storage) and not is_public(beside) and encloses(storage, beside):
                yield checks.Error(
                    f"{where} is public, and the files of {other}, which is not, are in its "
                    f"location: {_place(beside)} is in {_place(storage)}.",
                    hint="Give each a location, or a bucket, of its own. Until then these files "
                    "are not served from the public storage.",
                    obj=where,
                    id="djongo_services.E022",
                )


def _place(storage: Any) -> str:
    return f"{storage.bucket_name}/{storage.place.prefix}"
