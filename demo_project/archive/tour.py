"""The landing page's suggestions: a link to each page and each service."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.admin.utils import quote
from django.urls import reverse

from demo_project.archive.models import Note
from demo_project.archive.seeding.garbage import TORN
from demo_project.environment import REPORTS

ADMIN = "admin:djongo_services"
BUCKET = "media"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    title: str
    text: str
    """What a visitor sees or does there."""
    url: str
    command: str = ""
    """The command for the same service."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    title: str
    text: str
    stops: tuple[Stop, ...]


def tour(note: Note | None) -> list[Part]:
    """The suggestions; ``note`` is a published note to which a file can be added."""
    return [_schema(), _shape(), _files(note), _transactions(), _site()]


def _collection(name: str, tab: str = "change") -> str:
    return reverse(f"{ADMIN}_collection_{tab}", args=[quote(f"default/{name}")])


def _file(page: str, *parts: str) -> str:
    return reverse(f"{ADMIN}_file_{page}", args=[quote("/".join(("default", BUCKET, *parts)))])


def _schema() -> Part:
    return Part(
        title="Does the database match the models?",
        text="Indexes, validators and options are compared, changed step by step, and rolled back.",
        stops=(
            Stop(
                title="All collections",
                text="Grouped by owner; narrow the list to those that differ from the models.",
                url=reverse(f"{ADMIN}_collection_changelist"),
            ),
            Stop(
                title="The plan",
                text="The archive has drifted on purpose. Look at each step, then apply them all.",
                url=reverse(f"{ADMIN}_collection_whole_plan"),
                command="syncmongoschema --plan",
            ),
            Stop(
                title="Run history",
                text="The applied steps of each run; roll a run back.",
                url=reverse(f"{ADMIN}_collection_runs"),
                command="syncmongoschema --history",
            ),
            Stop(
                title="Indexes",
                text="Size, usage and redundancy; hide one, copy a definition for Meta.indexes.",
                url=_collection("archive_note"),
            ),
            Stop(
                title="A validator",
                text="Three specimens break their validator, which is newer: which, and why?",
                url=_collection("specimens", "validator"),
                command="syncmongoschema --violations 10",
            ),
        ),
    )


def _shape() -> Part:
    reports = (
        ("report.html", "A report", "Everything that inspectmongo found, as one file."),
        ("changes.html", "Before and after", "What syncmongoschema changed, side by side."),
    )
    return Part(
        title="What do the documents look like?",
        text="Types, lengths, maps and references, proven for every document if you want.",
        stops=(
            Stop(
                title="The documents",
                text="Page by page, filtered by field, each as a tree and as Extended JSON.",
                url=_collection("archive_note", "documents"),
            ),
            Stop(
                title="The shape of legacy_cards",
                text="Numbers as text, names with typos, references that dangle.",
                url=_collection("legacy_cards", "schema"),
                command="inspectmongo legacy_cards --depth exact",
            ),
            Stop(
                title="What changed since",
                text="Ten cards came later: a new type, a new field. Two profiles compared.",
                url=_collection("legacy_cards", "schema_changes"),
                command="inspectmongo --baseline FILE",
            ),
            *(
                Stop(title=title, text=text, url=reverse("archive:report", args=[name]))
                for name, title, text in reports
                if (REPORTS / name).exists()
            ),
        ),
    )


def _files(note: Note | None) -> Part:
    add = (
        Stop(
            title="Add a file to a note",
            text="One transaction with its document; another button fails and leaves nothing.",
            url=note.get_absolute_url(),
        ),
    )
    return Part(
        title="Where are the files?",
        text="In the same database: a file appears together with the document that points to it.",
        stops=(
            Stop(
                title="The bucket",
                text="The files added by month and type.",
                url=reverse(f"{ADMIN}_file_changelist"),
            ),
            Stop(
                title="Its files",
                text="Search, filter, preview, rename, delete, restore.",
                url=_file("bucket"),
            ),
            Stop(
                title="A broken file",
                text="One chunk is missing, and the file's page says so first.",
                url=_file("change", str(TORN)),
            ),
            Stop(
                title="Garbage",
                text="Four plates that nothing refers to, chunks without a file, and a trash.",
                url=_file("collector"),
                command="gridfs_gc --dry-run",
            ),
            Stop(
                title="Upload",
                text="Drop several files at once, watch their progress, stop them.",
                url=reverse(f"{ADMIN}_file_add"),
            ),
            *(add if note is not None else ()),
        ),
    )


def _transactions() -> Part:
    return Part(
        title="Does a change happen completely or not at all?",
        text="Each request that changes data is one transaction, for the ORM and PyMongo alike.",
        stops=(
            Stop(
                title="Hand a loan over",
                text="Three documents in two collections; two buttons fail on purpose.",
                url=reverse("archive:loans"),
            ),
            Stop(
                title="The last hour",
                text="Commits, aborts by reason, retries by view, minute by minute.",
                url=reverse(f"{ADMIN}_transaction_changelist"),
            ),
        ),
    )


def _site() -> Part:
    return Part(
        title="What about Django itself?",
        text="Models, forms, search and sessions, all of them on MongoDB.",
        stops=(
            Stop(title="Notes", text="With a text index and tags.", url=reverse("archive:notes")),
            Stop(title="People", text="Counted by one query.", url=reverse("archive:people")),
            Stop(
                title="The admin",
                text="Its own pages; each object shows its document as JSON.",
                url=reverse("admin:archive_note_changelist"),
            ),
        ),
    )
