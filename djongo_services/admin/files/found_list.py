"""Files that the last dry run of the collector found, page by page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from django.utils.translation import gettext as _

from djongo_services.admin.files.address import BucketAddress
from djongo_services.admin.files.buckets import files_of
from djongo_services.admin.files.filters import Filters
from djongo_services.admin.files.findings import COLLECTION, Survey, found_query, last_survey
from djongo_services.admin.files.listing import LENIENT, PER_PAGE, Place
from djongo_services.admin.files.rows import FileRow, file_row, moment_text, projection
from djongo_services.admin.patience import Mongo
from djongo_services.introspection.rendering.printable import printable
from djongo_services.storage.collector.order import Key, sort_key

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundList:
    """A page of what was found."""

    survey: Survey | None
    """None: nobody has looked yet."""
    found: list[Document]
    files: dict[Key, Document]
    """Those that are in the bucket still."""
    next: Place | None


def list_found(
    database: Mongo,
    bucket: str,
    filters: Filters,
    place: Place | None,
    *,
    per_page: int = PER_PAGE,
) -> FoundList:
    """At most 3 commands."""
    survey = last_survey(database, bucket)
    if survey is None:
        return FoundList(survey=None, found=[], files={}, next=None)
    kept = database.get_collection(COLLECTION, codec_options=LENIENT)
    query = finding_query(bucket, survey, filters)
    if place is not None and len(place.values) == 1 and isinstance(place.values[0], ObjectId):
        query["_id"] = {"$gt": place.values[0]}
    found = list(kept.find(query, sort={"_id": 1}, limit=per_page + 1))
    page = found[:per_page]
    ids = [each["id"] for each in page]
    files = files_of(database, bucket).find({"_id": {"$in": ids}}, projection())
    return FoundList(
        survey=survey,
        found=page,
        files={sort_key(each["id"]): each for each in files if each["id"] is not None},
        next=Place(values=(page[-1]["_id"],)) if len(found) > per_page else None,
    )


def finding_query(bucket: str, survey: Survey, filters: Filters) -> Document:
    query: Document = found_query(bucket, survey, filters.state)
    if filters.begins:
        query["filename"] = {"$regex": f"^{re.escape(filters.begins)}"}
    return query


def found_rows(address: BucketAddress, listed: FoundList) -> list[FileRow]:
    return [_row(address, listed, each) for each in listed.found]


def _row(address: BucketAddress, listed: FoundList, finding: Document) -> FileRow:
    document = listed.files.get(sort_key(finding["id"]))
    if document is None:
        gone = {"id": finding["id"], "filename": finding["filename"], "length": finding["bytes"]}
        return file_row(address, gone, note=_("not there any more"))
    return file_row(address, document, note=_why(finding))


def _why(finding: Document) -> str:
    said = [_("since %(when)s") % {"when": moment_text(finding["since"])}]
    if finding["reason"]:
        said.insert(0, printable(finding["reason"]))
    if finding["kept"]:
        said.append(_("stays, because it is or may be in use"))
    return "; ".join(said)
