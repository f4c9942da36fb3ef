"""Problems of a collection that need attention: in its documents, indexes, references and
validator."""

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any, Final

from pymongo.database import Database

from djongo_services.bson_decoding import LENIENT
from djongo_services.introspection import catalog
from djongo_services.introspection.profiling.interruption import ProfilingInterrupted
from djongo_services.introspection.profiling.warnings.documents import about_documents
from djongo_services.introspection.profiling.warnings.indexes import about_indexes
from djongo_services.introspection.profiling.warnings.references import (
    about_references,
    with_examples,
)
from djongo_services.introspection.profiling.warnings.validation import about_validator
from djongo_services.introspection.profiling.warnings.wording import listed, number
from djongo_services.introspection.report import Finding, Profile, Reference
from djongo_services.progress import Progress, ProgressHook, Stop

__all__ = ["find_warnings"]


def find_warnings(
    database: Database[Any],
    collection: catalog.Collection,
    profile: Profile,
    references: Sequence[Reference],
    *,
    values: bool,
    declared: Container[str] = (),
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
) -> tuple[Finding, ...]:
    """Warnings about documents, then references, indexes and the validator, each by path.

    All of them except two follow from the arguments. For a validator, the server is queried for
    documents that it would refuse: at the depth ``sample`` for at most 10 seconds and up to 1,000
    documents, otherwise in one scan. ``declared`` are the indexes that models declare; with
    ``values`` the ``_id`` of some documents whose references dangle is looked up. When ``stop`` is
    set, the results of these two are missing. Raises PyMongo's errors when the connection is lost.
    """
    if progress is not None:
        total = profile.coverage.documents
        progress(Progress(collection=collection.name, phase="warnings", done=total, total=total))
    database = database.with_options(codec_options=LENIENT)
    documents = about_documents(profile)
    dangling = about_references(references)
    indexes = about_indexes(collection, profile, references, declared)
    validator: list[Finding] = []
    try:
        if values:
            dangling = with_examples(database, profile, references, dangling, stop=stop)
        validator = about_validator(database, collection, profile.coverage, stop=stop)
    except ProfilingInterrupted:
        pass
    return (*documents, *dangling, *indexes, *validator)


MOST_ALONE: Final = 3
"""The number of warnings of one kind about one collection that are listed individually."""

_SENTENCES: Final[dict[str, Callable[[str, str], str]]] = {
    "number-as-string": lambda many, names: (
        f'{many} fields keep numbers as strings: {names}. "10" sorts before "9"; convert them.'
    ),
    "date-as-string": lambda many, names: (
        f"{many} fields keep dates as strings: {names}. The server cannot calculate with them; "
        f"convert them."
    ),
    "reference-without-index": lambda many, names: (
        f"{many} references have no index: {names}. Reverse lookups scan the whole "
        f"collection; add indexes to those that are used in reverse lookups."
    ),
}
"""Texts by code, from the number of fields and their names; other kinds have an individual text."""


def grouped(warnings: Iterable[Finding]) -> list[Finding]:
    """The warnings in the same order; a group is at the position of its first member."""
    every = list(warnings)
    by_code: dict[str, list[Finding]] = {}
    for warning in every:
        by_code.setdefault(warning.code, []).append(warning)
    found: list[Finding] = []
    for warning in every:
        alike = by_code[warning.code]
        if warning.code not in _SENTENCES or len(alike) <= MOST_ALONE:
            found.append(warning)
        elif warning is alike[0]:
            found.append(_group(alike))
    return found


def _group(alike: list[Finding]) -> Finding:
    paths = tuple(warning.path for warning in alike if warning.path is not None)
    counts = [warning.count for warning in alike if warning.count is not None]
    code = alike[0].code
    return Finding(
        code=code,
        message=_SENTENCES[code](number(len(paths)), listed(paths)),
        paths=paths,
        count=sum(counts) if counts else None,
    )
