"""The Validator tab: what is asked of documents, and which of them it would refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from djongo_services.admin.address import Address
from djongo_services.admin.collection_pages import CollectionPages, read_collection
from djongo_services.admin.objects import ObjectLinks
from djongo_services.admin.patience import Mongo, Patience, Question
from djongo_services.admin.rules import readable_rules
from djongo_services.connections import connections
from djongo_services.introspection.catalog import Catalog, Validator
from djongo_services.introspection.rendering.numbers import count
from djongo_services.introspection.rendering.printable import printable
from djongo_services.introspection.rendering.values import extended_json, shortened, value_text
from djongo_services.schema.violators import (
    Violator,
    count_violators,
    find_violators,
    violating,
)

SHOWN = 20
"""Violators that are listed."""
_LONGEST_JSON = 200_000


class ValidatorTab(CollectionPages):
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
        """The same with reasons: to learn them, an empty collection is made for a moment."""
        self.require(request, "view", "change")
        return self._validator(request, self.address(object_id), explained=True)

    def _validator(
        self, request: HttpRequest, address: Address, *, explained: bool
    ) -> HttpResponse:
        patience = self.patience(request, connections[address.alias])
        asked = patience.ask(read_collection(address.collection))
        catalog = asked.value
        context: dict[str, Any] = {
            "explain_url": self.collection_url(address, "validator_explain"),
            "is_explained": explained,
        }
        found = next(iter(catalog.collections), None) if catalog else None
        context["kind_of_source"] = found.type if found else None
        if catalog is not None and found is not None and found.validator is not None:
            context |= self._rules(address, found.validator)
            context |= self._violators(
                request, address, catalog, found.validator, patience, explained
            )
        return self.tab(request, address, "validator", catalog, asked.trouble, context)

    def _rules(self, address: Address, validator: Validator) -> dict[str, Any]:
        return {
            "validator": validator,
            "rules": readable_rules(validator.query, self._checks(address)),
            "json": shortened(extended_json(validator.query, indent=2), _LONGEST_JSON),
        }

    def _checks(self, address: Address) -> Mapping[str, Mapping[str, Any]]:
        spec = self.spec(address)
        return spec.checks if spec is not None else {}

    def _violators(
        self,
        request: HttpRequest,
        address: Address,
        catalog: Catalog,
        validator: Validator,
        patience: Patience,
        explained: bool,
    ) -> dict[str, Any]:
        name, query = address.collection, validator.query
        counted = patience.ask(lambda database: count_violators(database[name], query))
        listed = patience.ask(lambda database: _ids(database, name, query))
        violators = [Violator(id=one, reasons=()) for one in listed.value or ()]
        explained_trouble = None
        if explained and violators:
            # Found within the page's time, so finding them again is not long. What is made for a
            # moment has to be removed, too, so this is not cut off.
            asked = self._explained(address, query, patience)
            violators, explained_trouble = asked.value or violators, asked.trouble
        links = ObjectLinks(
            self.admin_site, request, connections[address.alias], self.spec(address)
        )
        return {
            "number": None if counted.value is None else _number(counted.value),
            "is_clean": counted.value == 0,
            "count_trouble": counted.trouble,
            "list_trouble": listed.trouble if listed.trouble != counted.trouble else None,
            "explain_trouble": explained_trouble,
            "violators": [
                {
                    "id": value_text(one.id, 120),
                    "url": links.url(one.id),
                    "reasons": [shortened(printable(reason), 500) for reason in one.reasons],
                }
                for one in violators
            ],
            "has_reasons": catalog.server.validator_errinfo,
            "is_more": counted.value is not None and counted.value > len(violators),
        }

    def _explained(
        self, address: Address, query: Mapping[str, Any], patience: Patience
    ) -> Question[list[Violator]]:
        checks = self._checks(address)

        def work(database: Mongo) -> list[Violator]:
            found = find_violators(database, address.collection, query, limit=SHOWN, checks=checks)
            return list(found)

        return patience.ask(work, is_cut_off=False)


def _ids(database: Mongo, name: str, query: Mapping[str, Any]) -> list[Any]:
    found = database[name].find(violating(query), {"_id": 1}).limit(SHOWN)
    return [document["_id"] for document in found]


def _number(number: int) -> str:
    text = ngettext(
        "%(count)s document violates the validator",
        "%(count)s documents violate the validator",
        number,
    )
    return text % {"count": count(number)}
