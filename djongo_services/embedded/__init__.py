"""A real mongod as a replica set, for development, demo and tests; no root, no container.

    with MongoServer() as server:
        client = MongoClient(server.uri)

Nothing here imports Django, and modules are imported only when they are used: the pytest plugin of
this package is loaded in every project that installs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from djongo_services.embedded.member import Member
    from djongo_services.embedded.server import MongoServer
    from djongo_services.exceptions import EmbeddedServerError

__all__ = ["EmbeddedServerError", "Member", "MongoServer"]


def __getattr__(name: str) -> Any:
    match name:
        case "MongoServer":
            from djongo_services.embedded.server import MongoServer

            return MongoServer
        case "Member":
            from djongo_services.embedded.member import Member

            return Member
        case "EmbeddedServerError":
            from djongo_services.exceptions import EmbeddedServerError

            return EmbeddedServerError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
