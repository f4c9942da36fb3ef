"""The hand-over of a loan: one step for the museum, three documents in two collections for MongoDB.

The functions do not manage transactions. Their caller makes sure that either all of it happens or
nothing: on the site's pages, ``MongoTransactionMiddleware`` does.
"""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Any

from bson import Decimal128

from demo_project.archive.models import Loan, Person
from djongo_services.connections import connections

PERIOD = dt.timedelta(days=28)
LEDGER = "loan_ledger"
"""A collection without a model, with one document about the deposit for each hand-over."""

Document = dict[str, Any]


def hand_over(loan: Loan, borrower: Person, today: dt.date) -> Loan:
    """Close the loan, lend the medium to ``borrower`` with the same deposit, and record it."""
    new = _next_loan(loan, borrower, today)
    new.save(force_insert=True)
    connections["default"].database[LEDGER].insert_one(_entry(loan, new))
    _close(loan, today)
    loan.save(update_fields=["returned_on", "deposit"])
    return new


async def ahand_over(loan: Loan, borrower: Person, today: dt.date) -> Loan:
    """The same with the ORM's a-methods and the async client."""
    new = _next_loan(loan, borrower, today)
    await new.asave(force_insert=True)
    await connections["default"].async_database[LEDGER].insert_one(_entry(loan, new))
    _close(loan, today)
    await loan.asave(update_fields=["returned_on", "deposit"])
    return new


def hand_overs() -> list[Document]:
    """The latest ten entries of the ledger."""
    return list(connections["default"].database[LEDGER].find().sort("_id", -1).limit(10))


def _next_loan(loan: Loan, borrower: Person, today: dt.date) -> Loan:
    return Loan(
        code=f"H-{secrets.token_hex(5)}",
        medium_id=loan.medium_id,
        borrower=borrower,
        lent_on=today,
        due_on=today + PERIOD,
        deposit=loan.deposit,
    )


def _entry(loan: Loan, new: Loan) -> Document:
    return {"from": loan.code, "to": new.code, "deposit": Decimal128(loan.deposit)}


def _close(loan: Loan, today: dt.date) -> None:
    loan.returned_on = today
    loan.deposit = type(loan.deposit)(0)
