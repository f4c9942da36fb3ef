"""A file follows its row: what the row's transaction undoes, it undoes of the file too."""

# ruff: noqa: PT012 - what is tested is how whole blocks end

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import DatabaseError, IntegrityError, connections, transaction
from pymongo.database import Database

from djongo_services.connections import connections as mongodb
from djongo_services.storage import GridFSStorage, NoFile
from djongo_services.transaction import atomic as mongo_atomic
from tests.storage.bucket.conftest import Commands
from tests.storage.conftest import nothing_left
from tests.storage.following.conftest import Boom, content, filenames, is_sound
from tests.transaction.conftest import entry, failing


def file(text: str = "content", name: str = "a.txt") -> ContentFile[Any]:
    return ContentFile(text.encode(), name=name)


def atomic(**options: Any) -> Any:
    return transaction.atomic("papers", **options)


def elsewhere(work: Any) -> Any:
    """Run in another thread, which is in no transaction."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(work).result()


class TestSaved:
    def test_appears_with_its_row(self, connected: Database[Any], papers: Any) -> None:
        with pytest.raises(Boom), atomic():
            made = papers.Paper.objects.create(title="a", file=file())
            assert made.file.read() == b"content"
            assert papers.PLAIN.exists("a.txt")
            assert filenames(connected) == ["a.txt?"]
            raise Boom
        assert nothing_left(connected)
        with atomic():
            papers.Paper.objects.create(title="a", file=file())
        assert filenames(connected) == ["a.txt"]
        assert content(papers.PLAIN, papers.Paper.objects.get().file.name) == b"content"

    def test_by_its_field_file(self, connected: Database[Any], papers: Any) -> None:
        for save in (True, False):
            with pytest.raises(Boom), atomic():
                papers.Paper(title="a").file.save("a.txt", file(), save=save)
                raise Boom
            assert nothing_left(connected)

    def test_by_a_form_of_a_row_that_is_there(self, connected: Database[Any], papers: Any) -> None:
        row = papers.Paper.objects.create(title="a", file=file("old"))
        with pytest.raises(Boom), atomic():
            row.file = file("new", "b.txt")
            row.save()
            raise Boom
        assert filenames(connected) == ["a.txt"]

    def test_through_open(self, connected: Database[Any], papers: Any) -> None:
        row = papers.Paper.objects.create(title="a", file=file("old"))
        opened = papers.Paper.objects.get().file.open("wb")
        opened.write(b"new")
        with pytest.raises(Boom), atomic():
            opened.close()
            assert content(papers.PLAIN, "a.txt") == b"new"
            assert elsewhere(lambda: content(papers.PLAIN, "a.txt")) == b"old"
            raise Boom
        assert content(papers.PLAIN, "a.txt") == b"old"
        with atomic(), row.file.open("wb") as opened:
            opened.write(b"new")
        assert content(papers.PLAIN, "a.txt") == b"new"
        assert filenames(connected) == ["a.txt"]
        assert is_sound(connected)
        assert papers.PLAIN.save("a.txt", file()) != "a.txt"

    def test_by_the_storage(self, connected: Database[Any], papers: Any) -> None:
        storage = GridFSStorage(follow="papers")
        with pytest.raises(Boom), atomic():
            storage.save("a.txt", file())
            storage.save_many((f"{number}.txt", b"content") for number in range(600))
            assert storage.exists("599.txt")
            raise Boom
        assert nothing_left(connected)
        with atomic():
            storage.save_many((f"{number}.txt", b"content") for number in range(600))
            assert len(filenames(connected)) == 600
            assert all(name.endswith("?") for name in filenames(connected))
        assert not any(name.endswith("?") for name in filenames(connected))

    def test_with_few_commands(self, settings: Any, connected: Database[Any], papers: Any) -> None:
        """The work that waits for the end is done together."""
        commands = Commands()
        options = {"event_listeners": [commands]}
        settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": entry(connected, **options)}}
        papers.PLAIN.save("first.txt", file())
        for fail in (False, True):
            with atomic():
                for number in range(40):
                    papers.FOLLOWING.save(f"{number}.txt", file())
                commands.sent.clear()
                transaction.set_rollback(fail, "papers")
            assert len(commands.named("delete")) <= 4
            assert len(commands.named("update")) <= 1
            with atomic():
                for number in range(40):
                    papers.FOLLOWING.delete(f"{number}.txt")
                commands.sent.clear()
            assert len(commands.named("delete")) <= 4
        assert filenames(mongodb["default"].database) == ["first.txt"]

    def test_in_many_rows_at_once(self, connected: Database[Any], papers: Any) -> None:
        rows = [papers.Paper(title=str(number), file=file()) for number in range(20)]
        with pytest.raises(Boom), atomic():
            papers.Paper.objects.bulk_create(rows)
            raise Boom
        assert nothing_left(connected)

    def test_without_a_transaction(self, connected: Database[Any], papers: Any) -> None:
        """Row and file are there at once, whatever comes after."""
        papers.Paper.objects.create(title="a", file=file())
        assert filenames(connected) == ["a.txt"]

    def test_is_there_before_anybody_hears_of_the_commit(
        self, connected: Database[Any], papers: Any
    ) -> None:
        seen: list[list[str]] = []
        with atomic():
            papers.Paper.objects.create(title="a", file=file())
            transaction.on_commit(lambda: seen.append(filenames(connected)), "papers")
            assert len(connections["papers"].run_on_commit) == 1
        assert seen == [["a.txt"]]

    def test_others_with_the_same_name(self, connected: Database[Any], papers: Any) -> None:
        """A name is taken as soon as a file has it, as on a disk."""
        with pytest.raises(Boom), atomic():
            first = papers.Paper.objects.create(title="a", file=file("mine"))
            name = elsewhere(lambda: papers.PLAIN.save("a.txt", file("theirs")))
            assert name != first.file.name
            raise Boom
        assert content(papers.PLAIN, name) == b"theirs"
        assert len(filenames(connected)) == 1


class TestDeleted:
    def test_goes_with_the_commit(self, connected: Database[Any], papers: Any) -> None:
        papers.Paper.objects.create(title="a", file=file())

        def delete() -> None:
            row = papers.Paper.objects.get()
            row.file.delete(save=False)
            row.delete()
            assert not papers.PLAIN.exists("a.txt")
            assert papers.PLAIN.listdir("") == ([], [])
            with pytest.raises(NoFile):
                papers.PLAIN.open("a.txt")
            assert elsewhere(lambda: content(papers.PLAIN, "a.txt")) == b"content"

        with pytest.raises(Boom), atomic():
            delete()
            raise Boom
        assert papers.Paper.objects.get().file.read() == b"content"
        with atomic():
            delete()
        assert nothing_left(connected)

    def test_by_the_storage(self, connected: Database[Any], papers: Any) -> None:
        storage = GridFSStorage(follow="papers")
        storage.save_many((f"d/{number}.txt", b"content") for number in range(30))
        with pytest.raises(Boom), atomic():
            for number in range(30):
                storage.delete(f"d/{number}.txt")
            assert not storage.exists("d")
            assert storage.listdir("d") == ([], [])
            raise Boom
        assert len(storage.listdir("d")[1]) == 30
        with atomic():
            for number in range(30):
                storage.delete(f"d/{number}.txt")
        assert nothing_left(connected)

    def test_what_was_saved_before_it(self, connected: Database[Any], papers: Any) -> None:
        with atomic():
            row = papers.Paper.objects.create(title="a", file=file())
            row.file.delete()
            assert not papers.PLAIN.exists("a.txt")
        assert nothing_left(connected)

    def test_and_another_in_its_place(self, connected: Database[Any], papers: Any) -> None:
        row = papers.Paper.objects.create(title="a", file=file("old"))
        with pytest.raises(Boom), atomic():
            row.file.delete()
            row.file.save("a.txt", file("new"))
            assert row.file.read() == b"new"
            raise Boom
        assert papers.Paper.objects.get().file.read() == b"old"
        row = papers.Paper.objects.get()
        with atomic():
            row.file.delete()
            row.file.save("a.txt", file("new"))
        assert papers.Paper.objects.get().file.read() == b"new"
        assert len(filenames(connected)) == 1


class TestReplaced:
    def test_others_read_the_former_one(self, connected: Database[Any], papers: Any) -> None:
        row = papers.Badge.objects.create(title="a", file=file("old"))

        def replace() -> None:
            row.file.save("a.txt", file("newer"))
            assert content(papers.REPLACING, "a.txt") == b"newer"
            assert papers.REPLACING.size("a.txt") == 5
            assert elsewhere(lambda: papers.REPLACING.size("a.txt")) == 3
            assert elsewhere(lambda: content(papers.REPLACING, "a.txt")) == b"old"

        with pytest.raises(Boom), atomic():
            replace()
            raise Boom
        assert content(papers.REPLACING, "a.txt") == b"old"
        with atomic():
            replace()
        assert content(papers.REPLACING, "a.txt") == b"newer"
        assert filenames(connected) == ["badges/a.txt"]
        assert is_sound(connected)

    def test_by_two_at_once(self, connected: Database[Any], papers: Any) -> None:
        """The transaction that commits does not remove files that it does not replace
        permanently."""
        papers.REPLACING.save("a.txt", file("old"))
        storage = GridFSStorage(location="badges", allow_overwrite=True, follow="papers")
        with pytest.raises(Boom), atomic():
            storage.save("a.txt", file("rolled back"))
            elsewhere(lambda: storage.save("a.txt", file("committed")))
            raise Boom
        assert content(storage, "a.txt") == b"committed"
        with pytest.raises(Boom), atomic():
            elsewhere(lambda: storage.save("a.txt", file("committed again")))
            storage.save("a.txt", file("rolled back"))
            raise Boom
        assert content(storage, "a.txt") == b"committed again"
        assert is_sound(connected)

    def test_many_at_once(self, connected: Database[Any], papers: Any) -> None:
        storage = GridFSStorage(allow_overwrite=True, follow="papers")
        names = [f"{number}.txt" for number in range(5)]
        storage.save_many((name, b"old") for name in names)
        with pytest.raises(Boom), atomic():
            storage.save_many((name, b"new") for name in names)
            assert content(storage, "0.txt") == b"new"
            raise Boom
        assert content(storage, "0.txt") == b"old"
        with atomic():
            storage.save_many((name, b"new") for name in names)
        assert {content(storage, name) for name in names} == {b"new"}
        assert len(filenames(connected)) == 5


class TestShared:
    def test_the_first_and_the_last_name(self, connected: Database[Any], papers: Any) -> None:
        with pytest.raises(Boom), atomic():
            papers.Copy.objects.create(title="a", file=file())
            raise Boom
        assert nothing_left(connected)
        papers.Copy.objects.create(title="a", file=file())
        with pytest.raises(Boom), atomic():
            papers.Copy.objects.get().file.delete()
            assert not papers.SHARING.exists("a.txt")
            assert papers.SHARING.listdir("") == ([], [])
            raise Boom
        assert papers.Copy.objects.get().file.read() == b"content"
        with atomic():
            papers.Copy.objects.get().file.delete()
        assert nothing_left(connected)

    def test_a_further_name(self, connected: Database[Any], papers: Any) -> None:
        papers.Copy.objects.create(title="a", file=file())
        with pytest.raises(Boom), atomic():
            papers.Copy.objects.create(title="b", file=file(name="b.txt"))
            assert content(papers.SHARING, "b.txt") == b"content"
            raise Boom
        assert papers.SHARING.listdir("") == ([], ["a.txt"])

    def test_joining_what_is_rolled_back(self, connected: Database[Any], papers: Any) -> None:
        with pytest.raises(Boom), atomic():
            papers.Copy.objects.create(title="a", file=file())
            elsewhere(lambda: papers.SHARING.save("b.txt", file()))
            raise Boom
        assert papers.SHARING.listdir("") == ([], ["b.txt"])
        assert content(papers.SHARING, "b.txt") == b"content"
        assert not any(name.endswith("?") for name in filenames(connected))


class TestSavepoints:
    def test_an_inner_block(self, connected: Database[Any], papers: Any) -> None:
        papers.Paper.objects.create(title="old", file=file(name="old.txt"))
        with atomic():
            papers.Paper.objects.create(title="a", file=file(name="a.txt"))
            with pytest.raises(IntegrityError), atomic():
                papers.Paper.objects.get(title="old").file.delete()
                papers.Paper.objects.create(title="b", file=file(name="b.txt"))
                papers.Paper.objects.create(title="a", file=file(name="c.txt"))
            assert filenames(connected) == ["a.txt?", "old.txt"]
            assert papers.PLAIN.exists("old.txt")
            with atomic():
                papers.Paper.objects.create(title="d", file=file(name="d.txt"))
        assert filenames(connected) == ["a.txt", "d.txt", "old.txt"]
        assert is_sound(connected)

    def test_deep_ones(self, connected: Database[Any], papers: Any) -> None:
        def make(name: str) -> None:
            papers.Paper.objects.create(title=name, file=file(name=name))

        with atomic():
            with pytest.raises(Boom), atomic():
                make("1")
                with atomic():
                    make("2")
                    with atomic():
                        make("3")
                raise Boom
            assert nothing_left(connected)
            with atomic():
                make("4")
                with pytest.raises(Boom), atomic():
                    make("5")
                    raise Boom
                make("6")
        assert filenames(connected) == ["4", "6"]

    def test_an_inner_block_without_one(self, connected: Database[Any], papers: Any) -> None:
        with atomic():
            papers.Paper.objects.create(title="a", file=file())
            with pytest.raises(Boom), atomic(savepoint=False):
                raise Boom
        assert nothing_left(connected)

    def test_by_hand(self, connected: Database[Any], papers: Any) -> None:
        with atomic():
            before = transaction.savepoint("papers")
            papers.Paper.objects.create(title="a", file=file(name="a.txt"))
            inner = transaction.savepoint("papers")
            papers.Paper.objects.create(title="b", file=file(name="b.txt"))
            transaction.savepoint_rollback(inner, "papers")
            assert filenames(connected) == ["a.txt?"]
            transaction.savepoint_rollback(before, "papers")
            assert filenames(connected) == []
            papers.Paper.objects.create(title="c", file=file(name="c.txt"))
            transaction.clean_savepoints("papers")
            again = transaction.savepoint("papers")
            transaction.savepoint_rollback(again, "papers")
        assert filenames(connected) == ["c.txt"]

    def test_outer_rollback_after_inner_commit(self, connected: Database[Any], papers: Any) -> None:
        with atomic():
            with atomic():
                papers.Paper.objects.create(title="a", file=file())
            transaction.set_rollback(True, "papers")
        assert nothing_left(connected)


class TestHowItEnds:
    def test_a_commit_that_is_refused(self, connected: Database[Any], papers: Any) -> None:
        """Foreign keys are checked by the commit."""
        papers.Paper.objects.create(title="old", file=file(name="old.txt"))
        with pytest.raises(IntegrityError), atomic():
            papers.Paper.objects.get().file.delete()
            papers.Paper.objects.create(title="a", file=file(), of_id=4711)
        assert filenames(connected) == ["old.txt"]

    def test_a_lost_connection(
        self, connected: Database[Any], papers: Any, entries: dict[str, Any]
    ) -> None:
        with pytest.raises((Boom, DatabaseError)), atomic():
            papers.Paper.objects.create(title="a", file=file())
            connections["papers"].close()
            raise Boom
        assert nothing_left(connected)
        assert papers.Paper.objects.count() == 0

    @pytest.mark.parametrize("entries", ["postgresql"], indirect=True)
    def test_a_server_that_ends_the_connection(self, connected: Database[Any], papers: Any) -> None:
        with pytest.raises(DatabaseError), atomic():
            papers.Paper.objects.create(title="a", file=file())
            with connections["second"].cursor() as cursor:
                pid = connections["papers"].connection.info.backend_pid
                cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
            papers.Paper.objects.count()
        assert nothing_left(connected)

    def test_a_commit_with_an_unknown_outcome(
        self, connected: Database[Any], papers: Any, caplog: Any, monkeypatch: Any
    ) -> None:
        """Files that may be referenced stay, and are read like any other."""
        papers.Paper.objects.create(title="old", file=file(name="old.txt"))
        connection = connections["papers"]

        def lost() -> None:
            connection.connection.commit()
            connection.connection.close()
            raise DatabaseError("lost")

        with pytest.raises(DatabaseError, match="lost"), atomic():
            papers.Paper.objects.get().file.delete()
            papers.Paper.objects.create(title="a", file=file())
            monkeypatch.setattr(connection, "_commit", lost)
        monkeypatch.undo()
        assert "it is unknown whether" in caplog.text
        assert filenames(connected) == ["a.txt?", "old.txt"]
        assert papers.Paper.objects.get(title="a").file.read() == b"content"

    def test_by_hand(self, connected: Database[Any], papers: Any) -> None:
        transaction.set_autocommit(False, "papers")
        try:
            papers.Paper.objects.create(title="a", file=file(name="a.txt"))
            transaction.rollback("papers")
            assert nothing_left(connected)
            papers.Paper.objects.create(title="b", file=file(name="b.txt"))
            transaction.commit("papers")
            assert filenames(connected) == ["b.txt"]
            papers.Paper.objects.create(title="c", file=file(name="c.txt"))
            connections["papers"].close()
            assert filenames(connected) == ["b.txt"]
        finally:
            transaction.set_autocommit(True, "papers")

    def test_a_durable_block(self, connected: Database[Any], papers: Any) -> None:
        with atomic(durable=True):
            papers.Paper.objects.create(title="a", file=file())
        assert filenames(connected) == ["a.txt"]

    def test_mongodb_is_away_when_the_row_is_committed(
        self, connected: Database[Any], papers: Any, caplog: Any
    ) -> None:
        with atomic():
            papers.Paper.objects.create(title="a", file=file())
            stack = failing(connected.client, "update", times=3, errorCode=8000)
            stack.__enter__()
        stack.__exit__(None, None, None)
        assert "left to gridfs_gc" in caplog.text
        assert papers.Paper.objects.get().file.read() == b"content"

    def test_the_connection_is_as_it_was(self, connected: Database[Any], papers: Any) -> None:
        before = set(vars(connections["papers"]))
        with atomic():
            papers.Paper.objects.create(title="a", file=file())
        assert set(vars(connections["papers"])) == before

    def test_whoever_shadows_the_same_methods(self, connected: Database[Any], papers: Any) -> None:
        connection = connections["papers"]
        with atomic():
            papers.Paper.objects.create(title="a", file=file())
            inner = connection.commit
            connection.commit = lambda: inner()
        for name in ("b", "c"):
            with pytest.raises(Boom), atomic():
                papers.Paper.objects.create(title=name, file=file(name=name))
                raise Boom
            with atomic():
                papers.Paper.objects.create(title=name, file=file(name=name))
        assert filenames(connected) == ["a.txt", "b", "c"]

    def test_a_child_that_was_forked_in_it(self, connected: Database[Any], papers: Any) -> None:
        with atomic():
            papers.Paper.objects.create(title="a", file=file())
            child = os.fork()
            if child == 0:
                try:
                    # As forked workers begin; of a socket that it shares, nothing must be sent.
                    connections["papers"].connection = None
                    connections["papers"].run_on_commit = []
                    block = vars(connections["papers"])["_djongo_services_block"]
                    block._end(committed=False)
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
            assert filenames(connected) == ["a.txt?"]
        assert filenames(connected) == ["a.txt"]


class TestSeveral:
    def test_threads(self, connected: Database[Any], papers: Any) -> None:
        """Each with its own connection, at the same time."""
        together = threading.Barrier(6)

        def work(number: int) -> None:
            try:
                with pytest.raises(Boom), atomic():
                    if connections["papers"].vendor == "postgresql":
                        papers.Paper.objects.create(title=f"{number}", file=file(name=f"{number}"))
                    else:  # which lets one write at a time
                        papers.Paper(title="a").file.save(f"{number}", file(), save=False)
                    together.wait(60)
                    raise Boom
                with atomic():
                    papers.Paper(title="a").file.save(f"{number}", file(), save=False)
                    together.wait(60)
                    if number % 2:
                        transaction.set_rollback(True, "papers")
            finally:
                connections["papers"].close()

        with ThreadPoolExecutor(6) as executor:
            list(executor.map(work, range(6)))
        assert filenames(connected) == ["0", "2", "4"]

    def test_aliases(self, connected: Database[Any], papers: Any) -> None:
        """A file follows the database that its row is in, not the one that the router names."""
        for make in (
            lambda: papers.Paper.objects.using("second").create(title="a", file=file()),
            lambda: papers.Paper(title="a", file=file()).save(using="second"),
            lambda: papers.Paper.objects.using("second").bulk_create(
                [papers.Paper(title="a", file=file())]
            ),
        ):
            with pytest.raises(Boom), atomic():
                with transaction.atomic("second"):
                    make()
                assert filenames(connected) == ["a.txt"]
                raise Boom
            assert filenames(connected) == ["a.txt"]
            row = papers.Paper.objects.using("second").get()
            with pytest.raises(Boom), transaction.atomic("second"):
                row.file.delete()
                raise Boom
            with atomic():
                papers.Paper.objects.using("second").get().file.delete(save=False)
                assert nothing_left(connected)
            papers.Paper.objects.using("second").all().delete()

    def test_what_is_rolled_back_in_one_only(self, connected: Database[Any], papers: Any) -> None:
        with atomic():
            papers.Paper.objects.create(title="a", file=file(name="a.txt"))
            with pytest.raises(Boom), transaction.atomic("second"):
                papers.Paper.objects.using("second").create(title="b", file=file(name="b.txt"))
                raise Boom
            assert filenames(connected) == ["a.txt?"]
        assert filenames(connected) == ["a.txt"]


class TestBesideMongoDB:
    """The row decides, not a transaction of MongoDB that happens to be open."""

    def test_a_row_that_is_there_at_once(self, connected: Database[Any], papers: Any) -> None:
        with pytest.raises(Boom), mongo_atomic():
            connected.notes.insert_one({})
            row = papers.Paper.objects.create(title="a", file=file("old"))
            assert papers.PLAIN.exists("a.txt")
            assert row.file.size == 3
            assert papers.PLAIN.listdir("")[1] == ["a.txt"]
            with row.file.open("wb") as opened:
                opened.write(b"newer")
            assert content(papers.PLAIN, "a.txt") == b"newer"
            raise Boom
        assert connected.notes.find_one() is None
        assert content(papers.PLAIN, papers.Paper.objects.get().file.name) == b"newer"
        with pytest.raises(Boom), mongo_atomic():
            connected.notes.insert_one({})
            papers.Paper.objects.get().file.delete()
            assert not papers.PLAIN.exists("a.txt")
            raise Boom
        assert nothing_left(connected)

    @pytest.mark.parametrize("outer", ["mongodb", "sql"])
    def test_both(self, connected: Database[Any], papers: Any, outer: str) -> None:
        first, then = (mongo_atomic, atomic) if outer == "mongodb" else (atomic, mongo_atomic)
        with pytest.raises(Boom), first():
            with then():
                connected.notes.insert_one({})
                papers.Paper.objects.create(title="a", file=file())
            raise Boom
        kept = ["a.txt"] if outer == "mongodb" else []
        assert filenames(connected) == kept
        assert papers.Paper.objects.count() == len(kept)
        assert is_sound(connected)

    def test_a_file_of_no_row(self, connected: Database[Any], papers: Any) -> None:
        """It is part of MongoDB's transaction, because the document that refers to it may be,
        too."""
        with pytest.raises(Boom), mongo_atomic():
            papers.PLAIN.save("a.txt", file())
            raise Boom
        assert nothing_left(connected)
