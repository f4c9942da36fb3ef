"""How many commands a page takes, however much there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId

from tests.admin.conftest import Site
from tests.admin.test_changes_page import SUMMARY
from tests.introspection.render_example import EXAMPLE
from tests.introspection.test_catalog_trips import Listener
from tests.transaction.conftest import entry


@pytest.fixture
def commands(root: Site, connect: Callable[..., None]) -> Callable[[str], Counter[str]]:
    """The commands of one visit; connecting is over before it."""
    listener = Listener()
    connect(archive=entry(root.database, event_listeners=[listener]))

    def visit(url: str) -> Counter[str]:
        assert root.get(url).status == 200
        listener.counts.clear()
        assert root.get(url).status == 200
        return listener.counts - Counter({"endSessions": listener.counts["endSessions"]})

    return visit


SERVER = Counter({"ping": 1, "hello": 1, "buildInfo": 1, "getParameter": 1})


def test_the_dashboard_reads_one_page_of_collections(root: Site, commands: Any) -> None:
    for number in range(120):
        root.database[f"c{number:03}"].create_index("a")
    few = commands(root.url("collection_changelist") + "?q=c00")
    many = commands(root.url("collection_changelist"))
    # The collections' profiles, and the last run.
    rest = Counter({"listCollections": 2, "dbStats": 1, "find": 2})
    assert few == SERVER + rest + Counter({"listIndexes": 10, "aggregate": 1})
    # At most 50 collections; three of them exist for the models alone.
    assert many == SERVER + rest + Counter({"listIndexes": 47, "aggregate": 1})


def test_the_tabs(root: Site, commands: Any) -> None:
    books = root.database.books
    books.insert_many([{"_id": n, "title": f"t{n}"} for n in range(50)])
    for number in range(30):
        books.create_index(f"a{number}")
    root.database.command("collMod", "books", validator={"title": {"$type": "int"}})
    collection = SERVER + Counter({"listCollections": 1, "listIndexes": 1})
    assert commands(root.collection("books")) == collection + Counter(
        # Statistics, usage and which are multikey; a ping for who is asked of usage.
        {"aggregate": 3, "ping": 1}
    )
    # The profile is an aggregation, too.
    assert commands(root.collection("books", "schema")) == collection + Counter({"aggregate": 2})
    from djongo_services.admin.documents.keys import DocumentId
    from djongo_services.admin.profiles.documents import packed
    from djongo_services.admin.profiles.series import Series

    data = packed(EXAMPLE["notes"])
    # The series is listed; what is compared and drawn is read at once.
    changes = root.collection("books", "schema_changes")
    assert commands(changes) == collection + Counter({"aggregate": 1, "find": 1})
    for _ in range(4):
        Series(root.database, "books").add(ObjectId(), SUMMARY, data)
    assert commands(changes) == collection + Counter({"aggregate": 1, "find": 2})
    # The first violators are listed and told apart by rule.
    assert commands(root.collection("books", "validator")) == collection + Counter({"aggregate": 2})
    # A page of documents, wherever it is.
    assert commands(root.collection("books", "documents")) == collection + Counter({"aggregate": 2})
    middle = root.collection("books", "documents") + f"?after={DocumentId.of_value(20).text()}"
    assert commands(middle) == collection + Counter({"aggregate": 2})
    one = root.collection("books", "document") + f"?id={DocumentId.of_value(20).text()}"
    assert commands(one) == collection + Counter({"aggregate": 1, "find": 1})
    # The plan reads the catalog for itself; of a validator by other hands it counts nothing.
    plan = collection + collection - Counter({"ping": 1})
    # Its index builds are estimated by the size of the collection and by former builds.
    sizes = Counter({"listCollections": 1, "aggregate": 1, "find": 1})
    assert commands(root.collection("books", "plan")) == plan + Counter({"aggregate": 1}) + sizes


def test_plans_runs_and_transactions(root: Site, commands: Any) -> None:
    assert commands(root.url("collection_whole_plan")) == SERVER + Counter({"listCollections": 1})
    assert commands(root.url("collection_runs")) == Counter({"ping": 1, "find": 1})
    # What is open, and the last hour.
    assert commands(root.url("transaction_changelist")) == Counter(
        {"ping": 1, "aggregate": 2, "getParameter": 1}
    )


def test_a_run_of_many_steps(root: Site, commands: Any) -> None:
    from djongo_services.connections import connections
    from djongo_services.schema.applying import History
    from djongo_services.schema.operations import SetHidden

    history = History(connections["archive"].database)
    steps = [SetHidden(collection="c", index=f"i{n}", hidden=True) for n in range(700)]
    run = history.begin(steps, fingerprint="")
    url = root.url("collection_run", str(run)) + "?connection=archive"
    found = commands(url)
    # The run, the page's steps, the one under way, whether another run began since, and whether
    # a process holds the lease; then whether anything can be undone.
    assert found == Counter({"ping": 1, "find": 5, "aggregate": 1})
    page = root.get(url)
    assert page.html.count("data-status=") == 100
    last = root.get(page.link("7"))
    assert last.html.count("data-status=") == 100
    assert "hide index i699" in last.text
