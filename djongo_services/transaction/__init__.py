"""Transactions: ``atomic`` and related functions.

>>> from djongo_services.transaction import atomic, on_commit
>>> with atomic():
...     loan.save()
...     connections["default"].database.ledger.insert_one({"loan": loan.pk})
...     on_commit(notify)
"""

from __future__ import annotations

from djongo_services.transaction.api import (
    current_session,
    get_rollback,
    in_atomic_block,
    on_commit,
    on_rollback,
    set_rollback,
)
from djongo_services.transaction.atomic import aatomic, atomic
from djongo_services.transaction.backend_connections import watch_everything
from djongo_services.transaction.errors import (
    CommitResultUnknown,
    ConcurrentUse,
    ForeignClient,
    RefusedInTransaction,
    TransactionManagementError,
    TransactionsUnsupported,
    WriteConflict,
)
from djongo_services.transaction.reporting import transaction_finished, transaction_retried
from djongo_services.transaction.retry import (
    aretrying,
    arun_in_transaction,
    retrying,
    run_in_transaction,
)

__all__ = [
    "CommitResultUnknown",
    "ConcurrentUse",
    "ForeignClient",
    "RefusedInTransaction",
    "TransactionManagementError",
    "TransactionsUnsupported",
    "WriteConflict",
    "aatomic",
    "aretrying",
    "arun_in_transaction",
    "atomic",
    "current_session",
    "get_rollback",
    "in_atomic_block",
    "on_commit",
    "on_rollback",
    "retrying",
    "run_in_transaction",
    "set_rollback",
    "transaction_finished",
    "transaction_retried",
]

watch_everything()
