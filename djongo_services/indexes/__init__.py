"""Indexes that MongoDB has and Django's ``Index`` cannot say, for ``Meta.indexes``.

``makemigrations`` writes them into migrations; ``migrate`` on django-mongodb-backend creates them;
``syncmongoschema`` does in every project. On a SQL database they do nothing. Fields may be dotted
paths into embedded models and JSON: ``"address.city"``, ``"-data.year"``.

All take ``hidden`` (kept up to date, not used by queries), ``condition`` (a ``Q`` of the documents
to index; the index needs a name then) and, where MongoDB has it, ``collation``
(``{"locale": "en", "strength": 2}``). Wrong arguments raise ValueError; what only the model can
tell is reported by ``manage.py check``.
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
