"""The Schema tab: the last profile as a tree of fields, and the form for a new one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.admin.address import Address
from djongo_services.admin.collection_pages import read_collection
from djongo_services.admin.deadline import Deadline
from djongo_services.admin.documents.keys import DocumentId
from djongo_services.admin.documents.pages import DocumentPages
from djongo_services.admin.fields import FieldTree, field_tree
from djongo_services.admin.model_fields import ModelFields
from djongo_services.admin.profile_actions import ProfileActions, run_context
from djongo_services.admin.profiles.documents import unpacked
from djongo_services.admin.profiles.keeping import Kept, Profiles, moment
from djongo_services.admin.profiles.values import SampledValues, sample_values
from djongo_services.connections import connections
from djongo_services.formatting import count, printable
from djongo_services.introspection.catalog import Catalog
from djongo_services.introspection.formats import FORMATS
from djongo_services.introspection.path import query_path, render_path
from djongo_services.introspection.rendering.field_wording import reference_text
from djongo_services.introspection.rendering.wording import coverage_text
from djongo_services.introspection.report import CollectionReport, Finding

_LONGEST_SEARCH = 200


class SchemaTab(ProfileActions, DocumentPages):
    def page_urls(self) -> list[URLPattern]:
        return [
            self.page_url("<path:object_id>/schema/", self.schema, "schema"),
            *super().page_urls(),
        ]

    def schema(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view")
        address = self.address(object_id)
        deadline = self.deadline(request, connections[address.alias])
        asked = deadline.ask(read_collection(address.collection))
        state = deadline.ask(lambda database: Profiles(database, address.collection).read())
        catalog = asked.value
        run, kept = state.value or (None, None)
        context: dict[str, Any] = {
            "run": run and run_context(run),
            "start_url": self.collection_url(address, "schema_start"),
            "stop_url": self.collection_url(address, "schema_stop"),
            "progress_url": self.collection_url(address, "schema_progress"),
            "changes_url": self.collection_url(address, "schema_changes"),
            "depths": _depths(),
            "state_trouble": state.trouble if asked.trouble is None else None,
        }
        if catalog is not None and catalog.collections and kept is not None:
            context |= self._profile(request, address, catalog, kept, deadline)
        return self.tab(request, address, "schema", catalog, asked.trouble, context)

    def _profile(
        self,
        request: HttpRequest,
        address: Address,
        catalog: Catalog,
        kept: Kept,
        deadline: Deadline,
    ) -> dict[str, Any]:
        report = unpacked(kept.data, catalog.collections[0])
        assert report.profile is not None
        search = request.GET.get("q", "").strip()[:_LONGEST_SEARCH]
        is_asked = "values" in request.GET and self.may_see_documents(request)
        sampled = trouble = None
        if is_asked:
            asked = deadline.ask(
                partial(
                    sample_values,
                    name=address.collection,
                    fields=report.profile.fields,
                    reader=self.reader(request, address),
                )
            )
            sampled, trouble = asked.value, asked.trouble
        models = ModelFields(
            self.admin_site, request, connections[address.alias], self.spec(address)
        )
        tree = field_tree(
            report,
            search=search,
            models=models.of,
            values=sampled.by_path if sampled is not None else None,
        )
        return {
            "coverage": coverage_text(report.profile.coverage),
            "is_estimate": bool(report.profile.coverage.margin),
            "partial": printable(report.profile.coverage.stopped or ""),
            "profiled": moment(kept.finished),
            "profiled_by": printable(kept.by),
            "tree": tree,
            "rest": count(tree.rest) if tree.rest else None,
            "search": search,
            "found": _found(tree),
            "may_see_values": self.may_see_documents(request),
            "has_values": is_asked,
            "sampled": _sampled(sampled),
            "values_trouble": trouble,
            "warnings": self._warnings(request, address, report.warnings),
            "references": self._references(request, address, report),
            "exports": [
                {"name": name, "url": self.url("schema_export", self.quoted(address), name)}
                for name in FORMATS
            ],
        }

    def _warnings(
        self, request: HttpRequest, address: Address, warnings: Sequence[Finding]
    ) -> list[dict[str, Any]]:
        link = self.document_links(request, address)
        return [
            {
                "text": printable(one.message),
                "examples": [link(DocumentId.of_value(found)) for found in one.examples],
            }
            for one in warnings
        ]

    def _references(
        self, request: HttpRequest, address: Address, report: CollectionReport
    ) -> list[dict[str, Any]]:
        may_see = self.may_see_documents(request)
        found = []
        for one in report.references:
            name = query_path(one.path)
            target = Address(alias=address.alias, collection=one.target)
            found.append(
                {
                    "path": printable(render_path(one.path)),
                    "text": reference_text(one),
                    "url": self.collection_url(
                        address, "documents", f=render_path(one.path), o="exists"
                    )
                    if may_see and name is not None
                    else None,
                    "target_url": self.collection_url(target, "documents" if may_see else "schema"),
                }
            )
        return found


def _found(tree: FieldTree) -> str:
    text = ngettext("%(count)s field found.", "%(count)s fields found.", tree.found)
    return text % {"count": count(tree.found)}


def _sampled(sampled: SampledValues | None) -> str:
    if sampled is None:
        return ""
    text = ngettext(
        "Values of %(count)s document, read just now.",
        "Values of %(count)s documents, chosen at random and read just now.",
        sampled.documents,
    )
    return text % {"count": count(sampled.documents)}


def _depths() -> list[dict[str, str]]:
    return [
        {
            "name": "sample",
            "title": _("Sample"),
            "text": _("1,000 random documents; shares are estimates. Fast."),
        },
        {
            "name": "complete",
            "title": _("Complete"),
            "text": _("The server proves that no document has another field or type. One scan."),
        },
        {
            "name": "exact",
            "title": _("Exact"),
            "text": _("Complete, and every document is counted. Several scans."),
        },
    ]
