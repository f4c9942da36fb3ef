"""``manage.py inspectdb``: Django's own, which on this package's engine knows what MongoDB has.

The fields of MongoDB need imports, embedded documents need classes, and there are more kinds of
indexes than ``unique_together`` can name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import inspectdb
from django.db import DatabaseError, connections

from djongo_services.exceptions import DjongoServicesError


class Command(inspectdb.Command):
    def handle_inspection(self, options: dict[str, Any]) -> Iterator[str]:
        connection = connections[options["database"]]
        write_module = getattr(connection.introspection, "models_module", None)
        if write_module is None:
            yield from super().handle_inspection(options)
            return
        try:
            with connection.cursor() as cursor:
                listed = connection.introspection.get_table_list(cursor)
            known = {info.name: str(info.type) for info in listed}
            names = _chosen(known, options)
            yield write_module([name for name in names if name in known]).rstrip("\n")
        except (DjongoServicesError, DatabaseError) as error:
            raise CommandError(str(error)) from error
        for name in names:
            if name not in known:
                yield f"# Unable to inspect table '{name}'"
                yield "# The error was: There is no such collection."


def _chosen(known: dict[str, str], options: dict[str, Any]) -> list[str]:
    kinds = {"t", "v"} if options["include_views"] else {"t"}
    names = options["table"] or sorted(name for name, kind in known.items() if kind in kinds)
    wanted = options.get("table_name_filter")
    return [name for name in names if not callable(wanted) or wanted(name)]
