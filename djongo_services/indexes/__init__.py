"""Indexes that MongoDB has but Django's ``Index`` cannot express, for ``Meta.indexes``.

``makemigrations`` writes them into migrations; ``migrate`` on django-mongodb-backend creates them;
``syncmongoschema`` does so in every project. On a SQL database they have no effect. Fields may be
dotted paths into embedded models and JSON: ``"address.city"``, ``"-data.year"``.

All of them accept ``hidden`` (kept up to date, not used by queries), ``condition`` (a ``Q`` of the
documents to index; the index needs a name then) and, if MongoDB supports it, ``collation``
(``{"locale": "en", "strength": 2}``). Wrong arguments raise ValueError; errors that depend on the
model are reported by ``manage.py check``.
"""

from djongo_services.indexes.base import MongoIndex
from djongo_services.indexes.kinds import (
    GeoIndex,
    HashedIndex,
    SparseIndex,
    TextIndex,
    TTLIndex,
    UniqueIndex,
    WildcardIndex,
)

__all__ = [
    "GeoIndex",
    "HashedIndex",
    "MongoIndex",
    "SparseIndex",
    "TTLIndex",
    "TextIndex",
    "UniqueIndex",
    "WildcardIndex",
]
