"""Jobs of the collector that its pages run in the background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from bson import ObjectId
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.admin.deadline import Mongo
from djongo_services.admin.files.findings import Notes
from djongo_services.admin.jobs.bucket_jobs import Work
from djongo_services.conf import settings
from djongo_services.connections import Connection
from djongo_services.formatting import age_text, count, parse_age, size
from djongo_services.progress import ProgressHook, Stop
from djongo_services.storage.collector import Kind, collect, purge, references_for
from djongo_services.storage.collector.runs import CollectorReport

KINDS = tuple(kind.value for kind in Kind)


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectorOptions:
    """The options of a run of the collector."""

    older_than: timedelta
    only: tuple[str, ...] = ()
    """The kinds; empty means all."""
    verify: bool = False

    @classmethod
    def of(cls, asked: Mapping[str, str], only: list[str]) -> Self:
        """Raises ValueError for an invalid age."""
        text = asked.get("older", "").strip()
        older = parse_age(text) if text else settings.storage.grace
        kinds = tuple(kind for kind in KINDS if kind in only)
        return cls(
            older_than=older,
            only=() if kinds == KINDS else kinds,
            verify=asked.get("verify") == "1",
        )

    @classmethod
    def read(cls, arguments: Mapping[str, Any]) -> Self:
        """Read the options that :attr:`arguments` contains."""
        return cls(
            older_than=timedelta(seconds=arguments["older_than"]),
            only=tuple(arguments["only"]),
            verify=arguments["verify"],
        )

    @property
    def arguments(self) -> dict[str, Any]:
        return {
            "older_than": self.older_than.total_seconds(),
            "only": list(self.only),
            "verify": self.verify,
        }

    @property
    def age(self) -> str:
        """The age as text: ``48h``."""
        return written_age(self.older_than)

    @property
    def words(self) -> str:
        said = [_("older than %(age)s") % {"age": age_text(self.older_than)}]
        if self.only:
            said.append(", ".join(kind_name(kind) for kind in self.only))
        if self.verify:
            said.append(_("every byte read"))
        return "; ".join(said)


def dry_run(
    connection: Connection, bucket: str, wanted: CollectorOptions, run: ObjectId, by: str
) -> Work:
    def work(database: Mongo, stop: Stop, progress: ProgressHook) -> str:
        notes = Notes(database, bucket, run)
        try:
            report = collect(
                database,
                bucket,
                references=references_for(connection, bucket),
                older_than=wanted.older_than,
                only=[Kind(kind) for kind in wanted.only],
                verify=wanted.verify,
                dry_run=True,
                progress=progress,
                stop=stop,
                found=notes.add,
            )
        except BaseException:
            notes.give_up()
            raise
        notes.finish(report, by)
        if report.is_clean:
            return _("Nothing was found.")
        return _("Found: %(what)s.") % {"what": things_text(report)}

    return work


def collection(connection: Connection, bucket: str, wanted: CollectorOptions) -> Work:
    def work(database: Mongo, stop: Stop, progress: ProgressHook) -> str:
        report = collect(
            database,
            bucket,
            references=references_for(connection, bucket),
            older_than=wanted.older_than,
            only=[Kind(kind) for kind in wanted.only],
            verify=wanted.verify,
            progress=progress,
            stop=stop,
        )
        return _("Moved to the trash: %(what)s.") % {"what": things_text(report)}

    return work


def purging(connection: Connection, bucket: str, older_than: timedelta) -> Work:
    def work(database: Mongo, stop: Stop, progress: ProgressHook) -> str:
        report = purge(
            database,
            bucket,
            references=references_for(connection, bucket),
            older_than=older_than,
            progress=progress,
            stop=stop,
        )
        text = ngettext(
            "%(count)s entry of the trash was deleted for good (%(size)s).",
            "%(count)s entries of the trash were deleted for good (%(size)s).",
            report.entries,
        )
        return text % {"count": count(report.entries), "size": size(report.bytes)}

    return work


def things_text(report: CollectorReport) -> str:
    number = report.count + (report.kept.count if report.dry_run else 0)
    text = ngettext("%(count)s item, %(size)s", "%(count)s items, %(size)s", number)
    return text % {"count": count(number), "size": size(report.bytes)}


def kind_name(kind: str) -> str:
    """The name of a kind that a run has counted; a run of another version may have other kinds."""
    if kind == "deleted":
        return _("deleted files")
    return _(Kind(kind).heading) if kind in KINDS else kind


def kind_words(kind: str) -> str:
    """An explanation of a kind."""
    return _(Kind(kind).meaning) if kind in KINDS else ""


def written_age(age: timedelta) -> str:
    seconds = round(age.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and not seconds % length and not (unit == "d" and seconds == 172_800):
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
