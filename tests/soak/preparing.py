"""``python -m tests.soak.preparing``: the project's collections, and what is in them at first."""

from __future__ import annotations

import django


def main() -> None:
    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.files.base import ContentFile
    from django.core.files.storage import storages
    from django.core.management import call_command

    from tests.soak.known import ACCOUNTS, ITEMS, MONEY, VISITOR
    from tests.soak.moving.models import Item
    from tests.soak.town.models import Account

    call_command("migrate", verbosity=0)
    call_command("syncmongoschema", noinput=True, verbosity=0)
    Account.objects.bulk_create(Account(number=n, balance=MONEY) for n in range(ACCOUNTS))
    Item.objects.bulk_create(Item(number=n, amount=str(n)) for n in range(ITEMS))
    for alias in ("default", "slots"):
        # The first file makes the bucket's collections and indexes, which the collector wants.
        storages[alias].delete(storages[alias].save("first", ContentFile(b"")))
    get_user_model().objects.create_superuser(VISITOR, password=VISITOR)


if __name__ == "__main__":
    main()
