"""The steps that only the engine supports: savepoints, check constraints, ``inspectdb``."""

from __future__ import annotations

import datetime as dt
import io

from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from demo_project.demo.deployment import Deployment
from demo_project.demo.inspection import require
from demo_project.demo.step import Step, StepFailed

TABLES = ("archive_person", "archive_place", "archive_medium", "archive_loan")
INSPECTED = (
    "class ArchiveLoan(models.Model):",
    "code = models.CharField(max_length=16, unique=True)",
    'borrower = models.ForeignKey("ArchivePerson", models.DO_NOTHING)',
    "deposit = models.DecimalField(max_digits=8, decimal_places=2)",
    'GeoIndex(fields=["location"], name="place_location")',
    "# Check constraint loan_returned_later:",
)
"""What follows from the validators and indexes alone."""


class _Undo(Exception):
    """Ends a block that must be rolled back."""


def savepoints(deployment: Deployment) -> str:
    """Hand over two loans in one block; the second fails, and only its own writes are undone."""
    from demo_project.archive.lending import hand_over
    from demo_project.archive.models import Loan, Person

    before = _loans_and_ledger()
    first, second = Loan.objects.filter(returned_on=None)[:2]
    borrower = Person.objects.exclude(pk__in=[first.borrower_id, second.borrower_id])[0]
    today = timezone.localdate()
    try:
        with transaction.atomic():
            hand_over(first, borrower, today)
            try:
                with transaction.atomic():
                    again = hand_over(second, borrower, today)
                    Loan.objects.filter(pk=again.pk).update(code=first.code)
            except IntegrityError:
                pass
            else:
                raise StepFailed("Two loans have the same code.")
            inside = _loans_and_ledger()
            raise _Undo
    except _Undo:
        pass
    grown = tuple(now - was for was, now in zip(before, inside, strict=True))
    require(grown == (1, 1), f"After the inner rollback there are {grown} more, not (1, 1).")
    after = _loans_and_ledger()
    require(after == before, f"After the outer rollback there are {after}, not {before}.")
    return "a duplicate rolled its own part back; then the rest, PyMongo's document included"


def check_constraint(deployment: Deployment) -> str:
    from demo_project.archive.models import Loan

    loan = Loan.objects.order_by("pk")[0]
    try:
        with transaction.atomic():
            Loan.objects.filter(pk=loan.pk).update(due_on=loan.lent_on - dt.timedelta(days=1))
    except IntegrityError as error:
        require("loan_due_later" in str(error), f"The constraint is not named: {error}")
        return str(error)
    raise StepFailed(f"{loan} is due before it was lent.")


def inspectdb(deployment: Deployment) -> str:
    output = io.StringIO()
    call_command("inspectdb", *TABLES, stdout=output)
    source = output.getvalue()
    deployment.reports.mkdir(parents=True, exist_ok=True)
    (deployment.reports / "inspectdb.py").write_text(source, "utf-8")
    compile(source, "inspectdb.py", "exec")
    for line in INSPECTED:
        require(line in source, f"inspectdb.py has no {line!r}.")
    return f"reports/inspectdb.py, {source.count('(models.Model)')} models as they were declared"


def _loans_and_ledger() -> tuple[int, int]:
    from demo_project.archive.lending import LEDGER
    from demo_project.archive.models import Loan

    return Loan.objects.count(), connection.database[LEDGER].count_documents({})


STEPS = (
    Step(name="atomic with a savepoint", run=savepoints, needs_engine=True),
    Step(name="a check constraint", run=check_constraint, needs_engine=True),
    Step(name="inspectdb", run=inspectdb, needs_engine=True),
)
