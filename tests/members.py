"""The members of a replica set that tests disturb."""

from __future__ import annotations

from pymongo.errors import AutoReconnect, ServerSelectionTimeoutError

from djongo_services.embedded import Member, MongoServer


def primary_of(server: MongoServer) -> Member:
    """The member that is the primary.

    Waits through an election, in which the driver's one retry may meet a dying member as well;
    raises ServerSelectionTimeoutError if none is elected.
    """
    with server.client() as client:
        while True:
            try:
                client.admin.command("ping")
                address = client.primary
            except ServerSelectionTimeoutError:
                raise
            except AutoReconnect:
                continue
            if address is not None:  # Else it has stepped down since.
                return next(member for member in server.members if member.port == address[1])
