"""Transfers between accounts, with savepoints that are kept, undone, and refused by a duplicate."""

from __future__ import annotations

from contextlib import suppress

from django.db import IntegrityError, transaction

from djongo_services.transaction import run_in_transaction
from tests.soak.known import ACCOUNTS, MONEY
from tests.soak.loads.load import How, Load, Undone, Wrong
from tests.soak.town.models import Account, Transfer

CLERKS = 3


def make(how: How) -> list[Load]:
    return [Clerk(name=f"bank-{how.seed}-{number}", how=how) for number in range(CLERKS)]


class Clerk(Load):
    """Half of the transfers are repeated when the server asks for it."""

    def step(self) -> None:
        return self.audit() if self.chance.random() < 0.2 else self.transfer()

    def audit(self) -> None:
        """Read all accounts at one moment."""

        def work() -> None:
            with transaction.atomic():
                found = sum(Account.objects.values_list("balance", flat=True))
            if found != ACCOUNTS * MONEY:
                raise Wrong(f"The accounts have {found} instead of {ACCOUNTS * MONEY}.")

        self.told("audit", work)

    def transfer(self) -> None:
        name = self.next_name()
        giver, taker = self.chance.sample(range(ACCOUNTS), 2)
        amount = self.chance.randrange(1, 10)

        def work() -> None:
            with transaction.atomic():
                self._transfer(name, giver, taker, amount)

        repeated = self.chance.random() < 0.5
        self.told(
            "transfer",
            (lambda: run_in_transaction(work)) if repeated else work,
            name=name,
            giver=giver,
            taker=taker,
            amount=amount,
        )

    def _transfer(self, name: str, giver: int, taker: int, amount: int) -> None:
        about = {"name": name, "giver": giver, "taker": taker, "amount": amount}
        Transfer.objects.create(part="begin", **about)
        # The balances are read and set: an update that is lost shows in the sum.
        with suppress(Undone), transaction.atomic():
            Transfer.objects.create(part="undone", **about)
            self._move(giver, amount)
            raise Undone
        with transaction.atomic():
            self._move(giver, -amount)
        with suppress(IntegrityError), transaction.atomic():
            Account.objects.create(number=taker, balance=MONEY)
            raise Wrong(f"{name}: a second account {taker} was created")
        self._move(taker, amount)
        Transfer.objects.create(part="end", **about)

    def _move(self, number: int, amount: int) -> None:
        account = Account.objects.get(number=number)
        account.balance += amount
        account.save()
