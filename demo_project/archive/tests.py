"""The archive's own tests: ``manage.py test demo_project.archive``, on either backend.

On the engine, TestCase rolls back everything that a test did, including the ledger and stored
files. The stock backend empties the models' collections and leaves the ledger and the files, so the
tests count what is added.
"""

from __future__ import annotations

from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import TestCase

from demo_project.archive.factories import LoanFactory, NoteFactory, PersonFactory
from demo_project.archive.lending import LEDGER
from demo_project.archive.models import Loan, Note


class HandOverTests(TestCase):
    variant = ""
    """The part of the address that selects the sync or the async view."""

    @classmethod
    def setUpTestData(cls) -> None:
        cls.borrower = PersonFactory(is_active=True)
        cls.loan = LoanFactory(returned_on=None, deposit=25)

    def hand_over(self, *, fail: bool = False) -> tuple[int, int]:
        """The status, and by how many documents the ledger has grown."""
        ledger = connection.database[LEDGER]
        before = ledger.count_documents({})
        path = f"/loans/{self.loan.pk}/{'fail' if fail else 'hand-over'}/{self.variant}"
        answer = self.client.post(path, {"borrower": self.borrower.slug})
        self.loan.refresh_from_db()
        return answer.status_code, ledger.count_documents({}) - before

    def test_three_documents_change(self) -> None:
        assert self.hand_over() == (302, 1)
        assert self.loan.returned_on is not None
        assert Loan.objects.get(returned_on=None).borrower == self.borrower

    def test_nothing_changes_when_the_page_fails(self) -> None:
        assert self.hand_over(fail=True) == (500, 0)
        assert self.loan.returned_on is None
        assert Loan.objects.count() == 1

    def test_it_begins_as_it_was_set_up(self) -> None:
        assert Loan.objects.filter(returned_on=None).get() == self.loan


class AsyncHandOverTests(HandOverTests):
    variant = "async/"


class FileTests(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        cls.note = NoteFactory(status=Note.Status.PUBLISHED)

    def add(self, path: str = "") -> tuple[int, int, int]:
        """The status, and by how much the numbers of media and of files have grown."""
        files = default_storage.bucket.files
        before = files.count_documents({})
        file = SimpleUploadedFile("field.txt", b"otters", "text/plain")
        answer = self.client.post(f"/notes/{self.note.pk}/media/{path}", {"file": file})
        added = files.count_documents({}) - before
        return answer.status_code, self.note.media.count(), added

    def test_a_file_and_its_document_appear_together(self) -> None:
        assert self.add() == (302, 1, 1)

    def test_neither_appears_when_the_page_fails(self) -> None:
        assert self.add("fail/") == (500, 0, 0)
