"""One thread of a program: an operation after the other, each of which is reported."""

from __future__ import annotations

import json
import random
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from django.core.management.base import CommandError
from django.db import DatabaseError
from pymongo.errors import PyMongoError

from djongo_services.exceptions import DjongoServicesError
from djongo_services.storage import CorruptFile, NoFile
from djongo_services.transaction import CommitResultUnknown

Outcome = Literal["done", "refused", "unknown", "wrong"]

REFUSALS = (DatabaseError, PyMongoError, DjongoServicesError, CommandError)
"""The exceptions that an operation may raise while members fail; any other is a defect."""
DEFECTS = (NoFile, CorruptFile)
"""Those of them that a file which was acknowledged never causes."""

_writing = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class How:
    """The parameters of a program."""

    seed: str
    folder: Path
    """The folder for its files."""


class Wrong(Exception):
    """The answer is not what was acknowledged."""


class Undone(Exception):
    """Ends a savepoint, on purpose."""


@dataclass(kw_only=True)
class Load:
    """``name`` is unique in the soak."""

    name: str
    how: How
    chance: random.Random = field(init=False)
    number: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.how.seed} {self.name}")

    def step(self) -> None:
        """Run one operation, which is reported by :meth:`told`."""
        raise NotImplementedError

    def next_name(self) -> str:
        self.number += 1
        return f"{self.name}-{self.number}"

    def told(
        self, kind: str, work: Callable[[], Any], *, undone: bool = True, **details: Any
    ) -> Outcome:
        """Do the work and report how it ended.

        ``undone``: whether it has changed nothing when it raises, as a transaction. Otherwise its
        end is unknown.
        """
        said: dict[str, Any] = {}
        try:
            details |= work() or {}
            outcome: Outcome = "done"
        except Exception as error:  # noqa: BLE001 - what is unexpected is judged at the end
            if not isinstance(error, REFUSALS) or isinstance(error, DEFECTS):
                report(kind=kind, outcome="wrong", reason=defect(error), **details)
                return "wrong"
            unknown = any(isinstance(each, CommitResultUnknown) for each in causes(error))
            outcome = "unknown" if unknown or not undone else "refused"
            said["reason"] = reason_of(error)
        report(kind=kind, outcome=outcome, **said, **details)
        return outcome


def defect(error: Exception) -> str:
    return str(error) if isinstance(error, Wrong) else "".join(traceback.format_exception(error))


def causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def reason_of(error: BaseException) -> str:
    """The class of the error and of the server's answer behind it, without what differs."""
    found = causes(error)
    names = list(dict.fromkeys(type(each).__name__ for each in found))
    codes = [code for each in found if (code := getattr(each, "code", None))]
    code = f" ({codes[0]})" if codes else ""
    text = f": {str(error)[:160]}" if isinstance(error, CommandError) else ""
    return f"{' of '.join(names[:2])}{code}{text}"


def report(**line: Any) -> None:
    """A line of JSON on the process's stdout."""
    text = json.dumps(line)
    with _writing:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
