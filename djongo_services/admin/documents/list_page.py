"""The Documents tab: the documents of a collection, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.admin.address import Address
from djongo_services.admin.collection_pages import read_collection
from djongo_services.admin.deadline import Deadline, PageQuestion
from djongo_services.admin.documents.choices import (
    SHOWN_AS,
    SIZES,
    Asked,
    Choices,
    operators,
    types,
)
from djongo_services.admin.documents.conditions import (
    MOST,
    Condition,
    ConditionRefused,
    field_name,
    shown,
)
from djongo_services.admin.documents.keys import LONGEST_TURNED, DocumentId
from djongo_services.admin.documents.pages import (
    DocumentPages,
    is_linked,
    is_sent,
    key_token,
    sent,
)
from djongo_services.admin.documents.paging import (
    DocumentsPage,
    Reading,
    Row,
    Way,
    count_matching,
    read_page,
)
from djongo_services.admin.documents.tree import IN_LIST, Reader, json_of, tree_of
from djongo_services.admin.pages import no_such
from djongo_services.admin.rule_words import rule_words
from djongo_services.connections import connections
from djongo_services.formatting import count, printable, shortened, size
from djongo_services.introspection.catalog import Collection
from djongo_services.introspection.path import render_path
from djongo_services.schema.validator_rules import validator_rules

ANY = "any"
"""Used instead of a rule's digest: documents that break any rule of the validator."""
MOST_SHOWN = 300_000
"""The number of characters of documents on a page; for the remaining ones it shows the ``_id`` and
the size."""
_SUGGESTED = 200


class DocumentsTab(DocumentPages):
    def page_urls(self) -> list[URLPattern]:
        return [
            self.page_url("<path:object_id>/documents/", self.documents, "documents"),
            *super().page_urls(),
        ]

    def documents(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view")
        self.require_documents(request)
        address = self.address(object_id)
        data = sent(request)
        choices = Choices.of(data)
        start, way = self._beside(request, address)
        reader = self.reader(request, address)
        may_query = self.may(request, "query_documents") and reader.sees_secrets
        asked = Asked.of(
            choices, address.collection, sees_secrets=reader.sees_secrets, may_query=may_query
        )
        deadline = self.deadline(request, connections[address.alias])
        about = deadline.ask(read_collection(address.collection))
        catalog = about.value
        context: dict[str, Any] = self._filter_form(choices, asked, may_query=may_query)
        found = (
            next(iter((*catalog.collections, *catalog.system_collections)), None)
            if catalog
            else None
        )
        if found is not None and not asked.is_wrong:
            broken = _broken(choices, found)
            if broken is not None:
                asked.parts.append(broken["query"])
                context["broken"] = broken["words"]
            reading = Reading(
                query=asked.query,
                fields=asked.fields,
                size=choices.size,
                is_ordered=choices.is_ordered and found.type != "timeseries",
                is_indexed=found.type != "view",
            )
            page = deadline.ask(
                partial(read_page, name=address.collection, reading=reading, start=start, way=way)
            )
            counted = self._count_matching(request, address, deadline, asked.query)
            context |= self._rows_and_turns(request, address, choices, reading, reader, page.value)
            context |= {
                "page_trouble": page.trouble,
                "hint": _hint(choices, found) if page.trouble == deadline.too_late else "",
                "count_trouble": counted.trouble if counted else None,
                "counted": _matching(counted.value)
                if counted and counted.value is not None
                else "",
                "suggested": _suggested(found, page.value),
                "is_unordered": not reading.is_ordered,
                "unordered_url": choices.address(unordered="1") if found.type == "view" else None,
                "kind_of_source": found.type,
            }
        if "wait" not in data:
            at = {name: request.GET[name] for name in ("after", "before") if name in request.GET}
            context["wait_url"] = choices.address(wait="1", **at)
        return self.tab(request, address, "documents", catalog, about.trouble, context)

    def _beside(self, request: HttpRequest, address: Address) -> tuple[DocumentId | None, Way]:
        data = sent(request)
        ways: tuple[Way, Way] = ("after", "before")
        for way in ways:
            if text := data.get(way, ""):
                return self.key(request, address, text), way
        return None, "after"

    def _count_matching(
        self, request: HttpRequest, address: Address, deadline: Deadline, query: Mapping[str, Any]
    ) -> PageQuestion[int] | None:
        if "count" not in sent(request):
            return None
        return deadline.ask(partial(count_matching, name=address.collection, query=query))

    def _filter_form(self, choices: Choices, asked: Asked, *, may_query: bool) -> dict[str, Any]:
        rows = list(choices.conditions)
        if len(rows) < MOST:
            rows.append(Condition(path=""))
        return {
            "conditions": [
                {
                    "field": one.path,
                    "value": one.value,
                    "operators": _options(operators(), one.operator),
                    "types": _options(types(), one.type),
                    "wrong": asked.wrong_conditions.get(place, ""),
                }
                for place, one in enumerate(rows)
            ],
            "choices": choices,
            "sizes": _options([(str(each), str(each)) for each in SIZES], str(choices.size)),
            "views": _options(
                list(
                    zip(
                        SHOWN_AS,
                        (_("tree"), _("Extended JSON"), _("canonical Extended JSON")),
                        strict=True,
                    )
                ),
                choices.shown_as,
            ),
            "wrong_fields": asked.wrong_fields,
            "wrong_query": asked.wrong_query,
            "is_wrong": asked.is_wrong,
            "may_query": may_query,
            "count_url": choices.address(count="1"),
            "first_url": choices.address(),
        }

    def _rows_and_turns(
        self,
        request: HttpRequest,
        address: Address,
        choices: Choices,
        reading: Reading,
        reader: Reader,
        page: DocumentsPage | None,
    ) -> dict[str, Any]:
        if page is None:
            return {}
        link = self.document_links(request, address)
        rows = []
        left = MOST_SHOWN
        for row in page.rows:
            shown_as = choices.shown_as if left > 0 else None
            rows.append(_row(row, link(row.key), reader, shown_as))
            left -= len(rows[-1].get("tree") or rows[-1].get("json") or "")
        turns = []
        if page.has_before and page.rows:
            turns.append(_turn(choices, address, reader, page.rows[0], "before"))
        if page.has_after and page.rows and reading.is_ordered:
            turns.append(_turn(choices, address, reader, page.rows[-1], "after"))
        return {
            "rows": rows,
            "turns": turns,
            "is_first": not page.has_before,
            "is_more": page.has_after,
            "is_stuck": any(turn["is_stuck"] for turn in turns),
        }


def _row(row: Row, link: dict[str, Any], reader: Reader, shown_as: str | None) -> dict[str, Any]:
    """A row; ``shown_as`` is None if the page is full."""
    found: dict[str, Any] = {"link": link, "size": size(row.size)}
    if row.document is None or shown_as is None:
        return {**found, "is_too_large": True}
    if shown_as == "tree":
        tree = tree_of(_below_heading(row.document), reader, IN_LIST)
        return {**found, "tree": tree.html, "is_cut": tree.is_cut}
    return {**found, "json": json_of(row.document, reader, shown_as)}


def _below_heading(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document without an ``_id`` that its heading has shown."""
    if isinstance(document.get("_id"), Mapping | list):
        return document
    return {name: value for name, value in document.items() if name != "_id"}


def _turn(choices: Choices, address: Address, reader: Reader, row: Row, way: Way) -> dict[str, Any]:
    """The way to the next page: a link, or a form if the key is too long for one."""
    token = "" if row.key is None else key_token(row.key, address, reader)
    is_formed = is_sent(token, LONGEST_TURNED)
    return {
        "way": way,
        "url": choices.address(**{way: token}) if token and is_linked(token) else None,
        "pairs": choices.pairs(**{way: token}) if is_formed else (),
        "is_stuck": not token or not (is_linked(token) or is_formed),
    }


def _options(pairs: Sequence[tuple[str, str]], chosen: str) -> list[dict[str, Any]]:
    return [
        {"value": value, "label": label, "is_chosen": value == chosen} for value, label in pairs
    ]


def _matching(number: int) -> str:
    text = ngettext("%(count)s document matches.", "%(count)s documents match.", number)
    return text % {"count": count(number)}


def _broken(choices: Choices, found: Collection) -> dict[str, Any] | None:
    """The filter for documents that break a rule of the validator; raises Http404 for an unknown
    rule."""
    if not choices.breaks:
        return None
    if found.validator is None:
        raise no_such(_("rule"))
    query = found.validator.query
    if choices.breaks == ANY:
        return {"query": {"$nor": [dict(query)]}, "words": _("Documents that break the validator.")}
    for rule in validator_rules(query):
        if rule.digest == choices.breaks:
            words = _("Documents that break the rule: %(path)s %(rule)s.")
            path = shortened(printable(render_path(rule.path)), 200)
            return {
                "query": rule.broken,
                "words": words % {"path": path, "rule": rule_words(rule)},
            }
    raise no_such(_("rule"))


def _hint(choices: Choices, found: Collection) -> str:
    """A sentence about the index that would help."""
    indexed = {index.keys[0][0] for index in found.indexes if index.keys and not index.hidden}
    names = []
    for condition in choices.conditions:
        try:
            name = field_name(condition.path)
        except ConditionRefused:
            continue
        if name in indexed:
            return ""
        names.append(name)
    if not names:
        return ""
    return _(
        "No index begins with %(field)s, so the server reads documents until it finds enough; "
        "create an index on it, or add a condition on an indexed field."
    ) % {"field": shown(names[0])}


def _suggested(found: Collection, page: DocumentsPage | None) -> list[str]:
    """Suggested field names for the form: those of indexes and of the documents on the page."""
    names = dict.fromkeys(name for index in found.indexes for name, _way in index.keys)
    for row in page.rows if page is not None else ():
        names |= dict.fromkeys(render_path((name,)) for name in row.document or ())
    usable = [name for name in names if "$**" not in name and len(name) <= 200]
    return [printable(name) for name in usable[:_SUGGESTED]]
