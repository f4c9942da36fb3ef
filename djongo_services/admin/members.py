"""The members of a deployment as the driver sees them; nothing is asked of them for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from pymongo import MongoClient

from djongo_services.introspection.rendering.printable import printable


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberRow:
    address: str
    role: str
    is_well: bool
    round_trip: str
    """In milliseconds, as the driver's monitor measured it."""


def member_rows(client: MongoClient[dict[str, Any]]) -> list[MemberRow]:
    roles = {
        "RSPrimary": _("primary"),
        "RSSecondary": _("secondary"),
        "RSArbiter": _("arbiter"),
        "Standalone": _("standalone"),
        "Mongos": _("mongos"),
        "LoadBalancer": _("load balancer"),
    }
    rows = []
    for address, server in sorted(client.topology_description.server_descriptions().items()):
        host, port = address
        time = server.round_trip_time
        rows.append(
            MemberRow(
                address=printable(f"{host}:{port}"),
                role=roles.get(server.server_type_name, _("does not answer")),
                is_well=server.server_type_name in roles,
                round_trip="" if time is None else f"{time * 1000:.1f} ms",
            )
        )
    return rows
