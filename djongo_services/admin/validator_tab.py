"""The Validator tab: the rules of a collection, and the documents that break them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from djongo_services.admin.address import Address, shown_name
from djongo_services.admin.collection_pages import read_collection
from djongo_services.admin.deadline import Deadline, Mongo, PageQuestion
from djongo_services.admin.documents.keys import DocumentId
from djongo_services.admin.documents.list_page import ANY
from djongo_services.admin.documents.pages import DocumentPages
from djongo_services.admin.model_fields import ModelFields
from djongo_services.admin.object_links import ObjectLinks
from djongo_services.admin.rule_words import is_condition, rule_words
from djongo_services.connections import connections
from djongo_services.formatting import count, extended_json, printable, shortened
from djongo_services.introspection.catalog import Catalog, Validator
from djongo_services.introspection.path import render_path
from djongo_services.schema.ownership import is_ours
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.validator_rules import (
    COUNTED,
    RuleCounts,
    ValidatorRule,
    count_by_rule,
    validator_rules,
)
from djongo_services.schema.violators import Violator, count_violators, find_violators

SHOWN = 20
"""The number of listed violators."""
MOST = 1_000
"""The maximum number of rules on the page; the JSON has all."""
MOST_COUNTED = 200
"""The number of rules whose violators are counted; each one is a part of one aggregation."""
_LONGEST_JSON = 200_000


class ValidatorTab(DocumentPages):
    def page_urls(self) -> list[URLPattern]:
        explain = require_POST(self.explain)
        return [
            self.page_url("<path:object_id>/validator/", self.validator, "validator"),
            self.page_url("<path:object_id>/validator/explain/", explain, "validator_explain"),
            *super().page_urls(),
        ]

    def validator(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view")
        return self._validator(request, self.address(object_id), explained=False)

    def explain(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The same page with reasons; to find them, an empty collection is created for a moment."""
        self.require(request, "view", "change")
        return self._validator(request, self.address(object_id), explained=True)

    def _validator(
        self, request: HttpRequest, address: Address, *, explained: bool
    ) -> HttpResponse:
        connection = connections[address.alias]
        deadline = self.deadline(request, connection)
        asked = deadline.ask(read_collection(address.collection))
        catalog = asked.value
        spec = self.spec(address)
        fields = ModelFields(self.admin_site, request, connection, spec)
        context: dict[str, Any] = {
            "explain_url": self.collection_url(address, "validator_explain"),
            "plan_url": self.collection_url(address, "plan"),
            "schema_url": self.collection_url(address, "schema"),
            "is_explained": explained,
        }
        found = next(iter(catalog.collections), None) if catalog else None
        if found is not None:
            context["kind_of_source"] = found.type
            if found.view_on is not None:
                source = Address(alias=address.alias, collection=found.view_on)
                context["source"] = source.shown
                context["source_url"] = self.collection_url(source, "validator")
        if catalog is not None and found is not None and _is_set(found.validator):
            assert found.validator is not None
            context |= self._about(found.validator, spec)
            rules = list(validator_rules(found.validator.query))
            query = found.validator.query
            # Without a request, it is known only if the first violators are all of them.
            counted = (
                deadline.ask(lambda database: count_violators(database[address.collection], query))
                if "count" in request.GET
                else None
            )
            told = self._told_apart(address, found.validator, rules, deadline)
            context |= self._violators(
                request, address, catalog, found.validator, counted, told, deadline, explained
            )
            context["rules"] = self._rows(request, address, rules, fields, spec, told.value)
            context["is_cut"] = len(rules) > MOST
            context["uncounted"] = (
                count(len(rules) - MOST_COUNTED) if len(rules) > MOST_COUNTED else ""
            )
        elif catalog is not None and spec is not None and spec.validator is not None:
            wanted = list(validator_rules(spec.validator))
            context["wanted"] = self._rows(request, address, wanted, fields, spec, None)
            context["is_cut"] = len(wanted) > MOST
        context["has_models"] = spec is not None
        return self.tab(request, address, "validator", catalog, asked.trouble, context)

    def _about(self, validator: Validator, spec: CollectionSpec | None) -> dict[str, Any]:
        return {
            "validator": validator,
            "level": _level(validator),
            "effect": _effect(validator),
            "is_ours": is_ours(validator.query),
            "models_want_one": spec is not None and spec.validator is not None,
            "json": shortened(extended_json(validator.query, indent=2), _LONGEST_JSON),
        }

    def _told_apart(
        self,
        address: Address,
        validator: Validator,
        rules: Sequence[ValidatorRule],
        deadline: Deadline,
    ) -> PageQuestion[RuleCounts]:
        def work(database: Mongo) -> RuleCounts:
            collection = database[address.collection]
            told = rules[:MOST_COUNTED]
            return count_by_rule(collection, validator.query, told, first=SHOWN)

        return deadline.ask(work)

    def _rows(
        self,
        request: HttpRequest,
        address: Address,
        rules: Sequence[ValidatorRule],
        fields: ModelFields,
        spec: CollectionSpec | None,
        counts: RuleCounts | None,
    ) -> list[dict[str, Any]]:
        checks = spec.checks if spec is not None else {}
        may_see = self.may_see_documents(request)
        rows: list[dict[str, Any]] = []
        for rule in rules[:MOST]:
            path = _path(rule)
            name = _constraint(rule, checks)
            number = None if counts is None else counts.by_rule.get(rule.digest)
            field = fields.model(name) if name else fields.of(rule.path)
            is_again = bool(rows) and rows[-1]["path"] == path and path != ""
            words = _("keeps the constraint %(name)s") % {"name": shown_name(name)} if name else ""
            rows.append(
                {
                    "path": path,
                    "is_again": is_again,
                    "words": words or rule_words(rule),
                    "is_json": is_condition(rule) and not name,
                    "condition": rule_words(rule) if name else "",
                    "description": shortened(printable(rule.description), 400),
                    "field": field,
                    "is_same_field": is_again and rows[-1]["field"] == field,
                    "is_clean": number == 0,
                    "number": None if number is None else count(number),
                    "is_bound": number == COUNTED,
                    "url": self.collection_url(address, "documents", breaks=rule.digest)
                    if may_see and number
                    else None,
                }
            )
        return rows

    def _violators(
        self,
        request: HttpRequest,
        address: Address,
        catalog: Catalog,
        validator: Validator,
        counted: PageQuestion[int] | None,
        told: PageQuestion[RuleCounts],
        deadline: Deadline,
        explained: bool,
    ) -> dict[str, Any]:
        first = told.value.first if told.value is not None else ()
        reasons: list[tuple[DocumentId | None, tuple[str, ...]]] = [
            (DocumentId.of(bytes(one.raw)), ()) for one in first
        ]
        explained_trouble = None
        if explained and reasons:
            # They were found within the page's time, so finding them again is quick. The temporary
            # collection must be removed, too, so this is not cut off.
            asked = self._explained(address, validator.query, deadline)
            explained_trouble = asked.trouble
            if asked.value:
                reasons = [(DocumentId.of_value(one.id), one.reasons) for one in asked.value]
        objects = ObjectLinks(
            self.admin_site, request, connections[address.alias], self.spec(address)
        )
        link = self.document_links(request, address)
        number = counted.value if counted is not None else None
        is_bound = False
        if number is None and told.value is not None:
            number, is_bound = told.value.violators, told.value.is_partial
        return {
            "number": None if number is None else _number(number, is_bound),
            "count_url": self.collection_url(address, "validator", count="1")
            if is_bound and counted is None
            else None,
            "is_clean": number == 0,
            "is_partial": told.value is not None and told.value.is_partial,
            "counted_first": count(COUNTED),
            "count_trouble": counted.trouble if counted is not None else None,
            "list_trouble": told.trouble
            if counted is None or told.trouble != counted.trouble
            else None,
            "explain_trouble": explained_trouble,
            "all_url": self.collection_url(address, "documents", breaks=ANY)
            if self.may_see_documents(request)
            else None,
            "violators": [
                {
                    "link": link(key),
                    "url": None if key is None else objects.url(key.value),
                    "reasons": [shortened(printable(reason), 500) for reason in said],
                }
                for key, said in reasons
            ],
            "has_reasons": catalog.server.validator_errinfo,
        }

    def _explained(
        self, address: Address, query: Mapping[str, Any], deadline: Deadline
    ) -> PageQuestion[list[Violator]]:
        spec = self.spec(address)
        checks = spec.checks if spec is not None else {}

        def work(database: Mongo) -> list[Violator]:
            found = find_violators(database, address.collection, query, limit=SHOWN, checks=checks)
            return list(found)

        return deadline.ask(work, is_cut_off=False)


def _is_set(validator: Validator | None) -> bool:
    """Whether there is a validator; an emptied one stays in the options as {}."""
    return validator is not None and bool(validator.query)


def _path(rule: ValidatorRule) -> str:
    if not rule.path:
        return ""
    text = render_path(rule.path)
    if rule.pattern and rule.path[-1] == "*":
        outer = render_path(rule.path[:-1])
        text = (
            _("%(path)s: every other field") % {"path": outer} if outer else _("every other field")
        )
    elif rule.pattern:
        text = _("%(pattern)s (a pattern of names)") % {"pattern": text}
    return shortened(printable(text), 200)


def _constraint(rule: ValidatorRule, checks: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The name of the model's constraint that the condition belongs to."""
    if not is_condition(rule):
        return None
    comment = rule.value.get("$comment")
    known = next((name for name, check in checks.items() if check == rule.value), None)
    return known or (comment if isinstance(comment, str) else None)


def _level(validator: Validator) -> str:
    levels = {
        "off": _("off"),
        "moderate": _("moderate: inserts, and updates of valid documents"),
        "strict": _("strict: every insert and update"),
    }
    return levels[validator.level]


def _effect(validator: Validator) -> str:
    if validator.level == "off":
        return _("Nothing is checked.")
    if validator.action == "warn":
        return _("Invalid documents are accepted, with a warning in the server's log.")
    if validator.level == "moderate":
        return _(
            "Invalid documents are rejected, except changes to documents that were already invalid."
        )
    return _("Invalid documents are rejected.")


def _number(number: int, is_bound: bool) -> str:
    if is_bound:
        text = _("%(count)s or more documents violate the validator")
    else:
        text = ngettext(
            "%(count)s document violates the validator",
            "%(count)s documents violate the validator",
            number,
        )
    return text % {"count": count(number)}
