"""Every warning about one collection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymongo.database import Database

from djongo_services.introspection import catalog
from djongo_services.introspection.profiling.decoding import LENIENT
from djongo_services.introspection.profiling.interruption import Interrupted
from djongo_services.introspection.profiling.warnings.documents import about_documents
from djongo_services.introspection.profiling.warnings.indexes import about_indexes
from djongo_services.introspection.profiling.warnings.references import (
    about_references,
    with_examples,
)
from djongo_services.introspection.profiling.warnings.validation import about_validator
from djongo_services.introspection.progress import Progress, ProgressHook, Stop
from djongo_services.introspection.report import Profile, Reference, Warning


def find_warnings(
    database: Database[Any],
    collection: catalog.Collection,
    profile: Profile,
    references: Sequence[Reference],
    *,
    values: bool,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
) -> tuple[Warning, ...]:
    """Warnings about documents, then references, indexes and the validator, each by path.

    All but two follow from what is given. A validator is asked which documents it would refuse:
    at depth ``sample`` for at most 10 seconds and up to 1,000 documents, else in one scan. With
    ``values`` the ``_id`` of some documents whose references dangle is looked up. When ``stop``
    is set, what these two would have told is missing. Raises PyMongo's errors when the connection
    is lost.
    """
    if progress is not None:
        total = profile.coverage.documents
        progress(Progress(collection=collection.name, phase="warnings", done=total, total=total))
    database = database.with_options(codec_options=LENIENT)
    documents = about_documents(profile)
    dangling = about_references(references)
    indexes = about_indexes(collection, profile, references)
    validator: list[Warning] = []
    try:
        if values:
            dangling = with_examples(database[collection.name], references, dangling, stop=stop)
        validator = about_validator(database, collection, profile.coverage, stop=stop)
    except Interrupted:
        pass
    return (*documents, *dangling, *indexes, *validator)
