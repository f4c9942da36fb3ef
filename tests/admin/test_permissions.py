"""Who may see and do what: a table of users, pages and answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.admin.conftest import Page, Site

SEES, FORBIDDEN, GONE, LOGIN = 200, 403, 302, "login"
"""The status of a page's answer; a change that was made is answered with a redirect."""

NOWHERE = "0" * 24
"""The id of no run."""

USERS: dict[str, tuple[str, ...] | None] = {
    "anonymous": None,
    "nobody": (),
    "viewer": ("view_collection",),
    "changer": ("view_collection", "change_collection"),
    "deleter": ("view_collection", "change_collection", "delete_collection"),
    "only deletes": ("delete_collection",),
    "documents": ("view_collection", "view_documents"),
    "only documents": ("view_documents", "query_documents", "view_secrets"),
    "transactions": ("view_transaction",),
}

V = ("viewer", "changer", "deleter", "documents", "root")
C = ("changer", "deleter", "root")
D = ("deleter", "root")

Visit = Callable[[Site], Page]


def index(site: Site, action: str, name: str = "by_n") -> str:
    from djongo_services.admin.indexes import digest_of

    return site.collection("notes", "index", digest_of(name), action)


def document(site: Site, page: str = "document") -> str:
    from djongo_services.admin.documents.keys import DocumentId

    key = DocumentId.of_value(site.database.notes.find_one()["_id"])
    return site.collection("notes", page) + f"?id={key.text()}"


PAGES: dict[str, tuple[Visit, tuple[str, ...]]] = {
    "dashboard": (lambda s: s.get(s.url("collection_changelist")), V),
    "indexes": (lambda s: s.get(s.collection("notes")), V),
    "documents": (lambda s: s.get(s.collection("notes", "documents")), ("documents", "root")),
    "a document": (lambda s: s.get(document(s)), ("documents", "root")),
    "a document to download": (
        lambda s: s.get(document(s, "download")),
        ("documents", "root"),
    ),
    "schema": (lambda s: s.get(s.collection("notes", "schema")), V),
    "changes": (lambda s: s.get(s.collection("notes", "schema_changes")), V),
    "progress": (lambda s: s.get(s.collection("notes", "schema_progress")), V),
    "validator": (lambda s: s.get(s.collection("notes", "validator")), V),
    "plan of one": (lambda s: s.get(s.collection("books", "plan")), V),
    "plan of all": (lambda s: s.get(s.url("collection_whole_plan")), V),
    "runs": (lambda s: s.get(s.url("collection_runs")), V),
    "log": (lambda s: s.get(s.collection("notes", "history")), V),
    "confirm hiding": (lambda s: s.get(index(s, "hide")), C),
    "confirm unhiding": (lambda s: s.get(index(s, "unhide", "hidden")), C),
    "confirm dropping": (lambda s: s.get(index(s, "drop")), D),
    "explain": (lambda s: s.post(s.collection("notes", "validator_explain")), C),
    "confirm applying": (
        lambda s: s.get(s.url("collection_apply"), collection="books"),
        C,
    ),
    "transactions": (lambda s: s.get(s.url("transaction_changelist")), ("transactions", "root")),
}
CHANGES: dict[str, tuple[Visit, tuple[str, ...]]] = {
    "hide": (lambda s: s.post(index(s, "hide")), C),
    "unhide": (lambda s: s.post(index(s, "unhide", "hidden")), C),
    "drop": (lambda s: s.post(index(s, "drop"), name="by_n"), D),
    "begin a profile": (
        lambda s: s.post(s.collection("notes", "schema_start"), depth="sample"),
        C,
    ),
    "stop a profile": (lambda s: s.post(s.collection("notes", "schema_stop")), C),
}
NEVER: dict[str, Visit] = {
    "hide _id_": lambda s: s.get(index(s, "hide", "_id_")),
    "drop _id_": lambda s: s.post(index(s, "drop", "_id_"), name="_id_"),
}


@pytest.fixture(params=[*USERS, "root"])
def visitor(request: pytest.FixtureRequest, site: Site) -> tuple[str, Site]:
    site.database.notes.insert_many([{"n": 1}, {"n": "two"}])
    site.database.notes.create_index("n", name="by_n")
    site.database.notes.create_index("m", name="hidden", hidden=True)
    validator = {"$jsonSchema": {"properties": {"n": {"bsonType": "int"}}}}
    site.database.command("collMod", "notes", validator=validator)
    permissions = USERS.get(request.param)
    if request.param == "root":
        site.login(is_superuser=True)
    elif permissions is not None:
        site.login(*permissions)
    return request.param, site


def answer(page: Page) -> int | str:
    return LOGIN if "/login/" in page.location else page.status


def expected(user: str, allowed: tuple[str, ...], status: int) -> int | str:
    if user == "anonymous":
        return LOGIN
    return status if user in allowed else FORBIDDEN


def test_the_table(visitor: tuple[str, Site]) -> None:
    user, site = visitor
    answers = {name: answer(visit(site)) for name, (visit, _) in PAGES.items()}
    assert answers == {name: expected(user, allowed, SEES) for name, (_, allowed) in PAGES.items()}


def test_the_table_of_changes(visitor: tuple[str, Site]) -> None:
    user, site = visitor
    answers = {name: answer(visit(site)) for name, (visit, _) in CHANGES.items()}
    assert answers == {
        name: expected(user, allowed, GONE) for name, (_, allowed) in CHANGES.items()
    }
    # Whoever was refused has changed nothing.
    names = site.database.notes.index_information()
    assert ("by_n" not in names) == (user in D)
    assert ("hidden" not in names["hidden"]) == (user in C)
    assert bool(site.log()) == (user in C)


def test_what_no_visitor_may(visitor: tuple[str, Site]) -> None:
    user, site = visitor
    for visit in NEVER.values():
        assert answer(visit(site)) == (LOGIN if user == "anonymous" else FORBIDDEN)
    assert "_id_" in site.database.notes.index_information()


def test_pages_offer_only_what_is_allowed(visitor: tuple[str, Site]) -> None:
    user, site = visitor
    html = (
        site.get(site.collection("notes")).html + site.get(site.collection("notes", "schema")).html
    )
    assert ("/hide/" in html) == (user in C)
    assert ("/drop/" in html) == (user in D)
    assert ("/schema/start/" in html) == (user in C)


class TestStopping:
    @pytest.fixture
    def run(self, site: Site) -> str:
        from djongo_services.connections import connections
        from djongo_services.schema.applying import History

        return str(History(connections["archive"].database).begin([], fingerprint=""))

    def test_only_who_may_change(self, visitor: tuple[str, Site], run: str) -> None:
        user, site = visitor
        stopped = site.post(site.url("collection_run_stop", run))
        assert answer(stopped) == expected(user, C, GONE)
        found = site.database.djongo_services_runs.find_one({})
        assert ("stop" in found) == (user in C)
        progress = site.get(site.url("collection_run_progress", run))
        assert answer(progress) == expected(user, V, SEES)

    def test_only_by_a_form(self, site: Site, run: str) -> None:
        site.login(is_superuser=True)
        assert site.get(site.url("collection_run_stop", run)).status == 405


class TestDestructiveRuns:
    """Applying and rolling back what destroys something asks for the permission to delete."""

    def test_applying(self, site: Site) -> None:
        self.drift(site)
        site.login("view_collection", "change_collection")
        assert "destroys" in site.get(site.collection("visits", "plan")).text
        assert site.get(site.url("collection_apply"), collection="visits").status == FORBIDDEN
        site.login("view_collection", "change_collection", "delete_collection")
        page = site.get(site.url("collection_apply"), collection="visits")
        signed = page.value("plan")
        site.login("view_collection", "change_collection")
        applied = site.post(site.url("collection_apply") + "?connection=archive", plan=signed)
        assert applied.status == FORBIDDEN
        assert self.expires_after(site) == 99_999

    def test_rolling_back(self, site: Site) -> None:
        site.login("view_collection", "change_collection", "delete_collection")
        page = site.get(site.url("collection_apply"), collection="authors")
        site.post(site.url("collection_apply") + "?connection=archive", plan=page.value("plan"))
        run = site.database.djongo_services_runs.find_one({})
        assert run is not None
        url = site.url("collection_rollback", str(run["_id"]))
        assert site.get(url).status == SEES
        site.login("view_collection", "change_collection")
        # Undoing the build of an index is to drop it.
        assert site.get(url).status == FORBIDDEN
        assert site.post(url, name=str(run["_id"])).status == FORBIDDEN
        assert len(site.database.authors.index_information()) == 2

    def drift(self, site: Site) -> None:
        site.database.visits.create_index("at", name="visit_ttl", expireAfterSeconds=99_999)

    def expires_after(self, site: Site) -> int:
        return site.database.visits.index_information()["visit_ttl"]["expireAfterSeconds"]


@pytest.mark.parametrize(
    "path",
    [
        "collection/archive_2Fgone/change/",
        "collection/archive_2Fgone/plan/",
        "collection/unknown_2Fnotes/change/",
        "collection/nonsense/change/",
        "collection/archive_2Fnotes/index/0000000000000000/hide/",
        "collection/archive_2Fnotes/index/0000000000000000/nonsense/",
        "collection/archive_2Fnotes/schema/export/nonsense/",
        "collection/archive_2Fnotes/schema/export/json/",
        "collection/plan/?connection=unknown",
        "collection/runs/nonsense/",
        f"collection/runs/{NOWHERE}/",
        f"collection/runs/{NOWHERE}/rollback/",
    ],
)
def test_what_is_not_there_is_not_found(root: Site, path: str) -> None:
    root.database.notes.insert_one({})
    assert root.get(f"/admin/djongo_services/{path}").status == 404


@pytest.mark.parametrize("page", ["schema_start", "schema_stop", "validator_explain"])
def test_changes_are_posts(root: Site, page: str) -> None:
    assert root.get(root.collection("notes", page)).status == 405
    strict = type(root.client)(enforce_csrf_checks=True)
    strict.cookies = root.client.cookies
    assert strict.post(root.collection("notes", page)).status_code == FORBIDDEN


def test_the_short_address_leads_to_the_collection(root: Site) -> None:
    page = root.get("/admin/djongo_services/collection/archive_2Fnotes/")
    assert (page.status, page.location) == (302, root.collection("notes"))
