"""Reading a report from the JSON that ``inspectmongo --format json`` wrote, perhaps long ago.

The file is untrusted input: each value is checked, and an error is reported with its position. Keys
that were added in later versions of this app may be missing, and the use of indexes is left out.
Options, validators and definitions of indexes stay in their JSON form, because Extended JSON cannot
be distinguished from a query that looks the same.
"""

from __future__ import annotations

import json
from typing import Final

from djongo_services.abilities import Abilities, abilities_of
from djongo_services.formatting import count
from djongo_services.introspection.catalog import (
    Collection,
    Index,
    IndexBuild,
    Statistics,
    Unavailable,
    Validator,
)
from djongo_services.introspection.json_values import JsonValue, ReportUnreadable
from djongo_services.introspection.path import Path
from djongo_services.introspection.rendering.json import FORMAT_VERSION
from djongo_services.introspection.report import (
    ArrayLengths,
    CollectionReport,
    Coverage,
    Field,
    Finding,
    MapKeys,
    Profile,
    Reference,
    Report,
    TypeCount,
    ValueSummary,
)
from djongo_services.translation import gettext as _

_DEPTHS: Final = ("sample", "complete", "exact")


def read_report(text: str | bytes) -> Report:
    """Read a report; bytes may be UTF-8, UTF-16 (from redirection in PowerShell) or UTF-32.

    Raises ReportUnreadable, with a sentence about what is wrong and what to do.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ReportUnreadable(_not_json(error)) from None
    except UnicodeDecodeError:
        text = _("It is not text; create it with inspectmongo --format json.")
        raise ReportUnreadable(text) from None
    except (RecursionError, ValueError) as error:
        if isinstance(error, RecursionError):
            text = _("It is not a report of inspectmongo: it is nested too deeply.")
        else:
            text = _("It is not a report of inspectmongo: a number in it is too long.")
        raise ReportUnreadable(text) from None
    if not isinstance(document, dict) or not {"server", "collections"} <= document.keys():
        text = _("It is not a report of inspectmongo; create one with inspectmongo --format json.")
        raise ReportUnreadable(text)
    version = document.get("format_version")
    if version != FORMAT_VERSION:
        if isinstance(version, int) and version > FORMAT_VERSION:
            text = _(
                "It has the format version %(found)r, and this version of djongo_services reads "
                "%(known)s; upgrade djongo_services, or create it again."
            )
        else:
            text = _(
                "It has the format version %(found)r, and this version of djongo_services reads "
                "%(known)s; create it again."
            )
        raise ReportUnreadable(text % {"found": version, "known": FORMAT_VERSION})
    return _report(JsonValue(document, None))


def _not_json(error: json.JSONDecodeError) -> str:
    text = error.doc
    if not text.strip():
        return _("It is empty; create it again with inspectmongo --format json --output FILE.")
    words = {"reason": error.msg, "line": count(error.lineno), "column": count(error.colno)}
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
        return _("It is truncated at line %(line)s; create it again.") % words
    return _("It is not JSON: %(reason)s at line %(line)s, column %(column)s.") % words


def _report(found: JsonValue) -> Report:
    return Report(
        server=_server(found["server"]),
        database=found["database"].text(),
        collections=_collections(found["collections"]),
        stopped=found["stopped"].text_or_none(),
        inspected_at=found["inspected_at"].moment() if found["inspected_at"] else None,
    )


def _server(found: JsonValue) -> Abilities:
    try:
        return abilities_of(
            version=found["version"].text(),
            feature_compatibility=found["feature_compatibility"].text_or_none(),
            topology=found["topology"].one_of("standalone", "replica set", "sharded"),
            set_name=found["set_name"].text_or_none(),
            members=tuple(member.text() for member in found["members"].items()),
            transactions=found["transactions"].flag(),
        )
    except ValueError:
        raise found.refuse(_("a server with the version of a MongoDB")) from None


def _collections(found: JsonValue) -> tuple[CollectionReport, ...]:
    reports: dict[str, CollectionReport] = {}
    for one in found.items():
        name = one["name"].text()
        if name in reports:
            raise one["name"].refuse(_("the name of one collection only"))
        reports[name] = _collection(one, name)
    return tuple(reports[name] for name in sorted(reports))


def _collection(found: JsonValue, name: str) -> CollectionReport:
    profile = None
    if found["coverage"]:
        profile = Profile(
            collection=name,
            fields=_fields(found["fields"]),
            coverage=_coverage(found["coverage"]),
        )
    return CollectionReport(
        collection=Collection(
            name=name,
            type=found["type"].one_of("collection", "view", "timeseries"),
            options=found["options"].document(),
            uuid=found["uuid"].uuid() if found["uuid"] else None,
            validator=_validator(found["validator"]),
            indexes=tuple(_index(index) for index in found["indexes"].items()),
            statistics=_statistics(found["statistics"]),
            unavailable=tuple(
                Unavailable(what=one["what"].text(), reason=one["reason"].text())
                for one in found["unavailable"].items()
            ),
        ),
        profile=profile,
        references=tuple(_reference(one) for one in found["references"].items()),
        warnings=tuple(_warning(one) for one in found["warnings"].items()),
        muted=found["muted"].count_or_none() or 0,
    )


def _validator(found: JsonValue) -> Validator | None:
    if not found:
        return None
    return Validator(
        query=found["query"].document(),
        level=found["level"].one_of("off", "moderate", "strict"),
        action=found["action"].text(),  # type: ignore[arg-type]  # later servers have more
    )


def _statistics(found: JsonValue) -> Statistics | None:
    if not found:
        return None
    return Statistics(
        count=found["count"].count_or_none(),
        size=found["size"].count(),
        storage_size=found["storage_size"].count(),
        index_size=found["index_size"].count(),
    )


def _index(found: JsonValue) -> Index:
    return Index(
        name=found["name"].text(),
        keys=tuple((key["field"].text(), _direction(key)) for key in found["keys"].items()),
        definition=found["definition"].document(),
        multikey="multikey" in (mark.text() for mark in found["properties"].items()),
        size=found["size"].count_or_none(),
        build=IndexBuild() if found["build"] else None,
    )


def _direction(key: JsonValue) -> int | float | str:
    found = key["direction"]
    if not isinstance(found.value, int | float | str):
        raise found.refuse(_("1, -1 or the name of a type of index"))
    return found.value


def _fields(found: JsonValue) -> tuple[Field, ...]:
    """The tree for the flat list, in which each field precedes those inside of it."""
    listed: dict[Path, JsonValue] = {}
    for one in found.items():
        path = one["path"].path()
        if path in listed or (len(path) > 1 and path[:-1] not in listed):
            raise one["path"].refuse(_("listed once, and after the field that it is in"))
        listed[path] = one
    children: dict[Path, list[Field]] = {}
    for path, one in reversed(listed.items()):
        inside = tuple(reversed(children.pop(path, ())))
        children.setdefault(path[:-1], []).append(_field(one, path, inside))
    return tuple(reversed(children.get((), ())))


def _field(found: JsonValue, path: Path, children: tuple[Field, ...]) -> Field:
    parents = found["parents"].count()
    counts = {name: each["count"].count() for name, each in found["types"].members()}
    if not counts or not parents:
        raise found.refuse(_("a field with types"))
    return Field(
        path=path,
        parents=parents,
        types={
            name: TypeCount(count=number, probability=min(number / parents, 1.0))
            for name, number in counts.items()
        },
        lengths=_lengths(found["lengths"]),
        map=_map(found["map"]),
        values=_values(found["values"]),
        children=children,
    )


def _lengths(found: JsonValue) -> ArrayLengths | None:
    if not found:
        return None
    return ArrayLengths(
        minimum=found["minimum"].count(),
        maximum=found["maximum"].count(),
        mean=found["mean"].number(),
        histogram={
            one["up_to"].count(): one["count"].count() for one in found["histogram"].items()
        },
    )


def _map(found: JsonValue) -> MapKeys | None:
    if not found:
        return None
    return MapKeys(
        format=found["format"].text(),
        distinct=found["distinct"].count(),
        distinct_is_bound=found["distinct_is_bound"].flag(),
    )


def _values(found: JsonValue) -> ValueSummary | None:
    if not found:
        return None
    return ValueSummary(
        minimum=found["minimum"].decoded(),
        maximum=found["maximum"].decoded(),
        shortest=found["shortest"].count_or_none(),
        longest=found["longest"].count_or_none(),
        distinct=found["distinct"].count_or_none(),
        distinct_is_bound=found["distinct_is_bound"].flag(),
        enum=tuple((one["value"].decoded(), one["count"].count()) for one in found["enum"].items()),
        formats={name: share.number() for name, share in found["formats"].members()},
        boolean_like=found["boolean_like"].flag(),
        exact=found["exact"].flag(),
        masked=found["masked"].flag(),
    )


def _reference(found: JsonValue) -> Reference:
    return Reference(
        path=found["path"].path(),
        target=found["target"].text(),
        target_path=found["target_path"].text(),
        kind=found["kind"].one_of("value", "text", "dbRef", "pointer"),
        many=found["many"].flag(),
        unique=found["unique"].flag(),
        checked=found["checked"].count(),
        found=found["found"].count(),
        complete=found["complete"].flag(),
    )


def _coverage(found: JsonValue) -> Coverage:
    return Coverage(
        requested=found["requested"].one_of(*_DEPTHS),
        reached=found["reached"].one_of(*_DEPTHS),
        documents=found["documents"].count(),
        examined=found["examined"].count(),
        proven=found["proven"].flag(),
        rounds=found["rounds"].count(),
        margin=found["margin"].number() if found["margin"] else None,
        seconds=found["seconds"].number(),
        stopped=found["stopped"].text_or_none(),
    )


def _warning(found: JsonValue) -> Finding:
    return Finding(
        code=found["code"].text(),
        message=found["message"].text(),
        path=found["path"].text_or_none(),
        paths=tuple(path.text() for path in found["paths"].items()),
        count=found["count"].count_or_none(),
        examples=tuple(one.decoded() for one in found["examples"].items()),
    )
