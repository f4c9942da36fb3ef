"""A test runner of Django's that writes down how each test ended."""

from __future__ import annotations

import json
import os
import unittest
from pathlib import Path
from typing import Any

from django.test.runner import DiscoverRunner

from tests.django_suites import adapting


class Result(unittest.TextTestResult):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outcomes: dict[str, tuple[str, str]] = {}
        """By test: ``passed``, ``failed`` or ``skipped``, and the reason."""

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        self.outcomes.setdefault(test.id(), ("passed", ""))

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._failed(test, err)

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._failed(test, err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._failed(test, err)

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self.outcomes[test.id()] = ("skipped", reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self.outcomes[test.id()] = ("skipped", "expected to fail by the backend")

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self.outcomes[test.id()] = ("passed", "")

    def _failed(self, test: Any, err: Any) -> None:
        error = err[1]
        line = (str(error).strip().splitlines() or [""])[0]
        self.outcomes[test.id()] = ("failed", f"{type(error).__name__}: {line}")


class Runner(DiscoverRunner):
    def build_suite(self, *args: Any, **kwargs: Any) -> Any:
        suite = super().build_suite(*args, **kwargs)
        adapting.apply_to_tests()
        return suite

    def get_resultclass(self) -> type[Result]:
        return Result

    def suite_result(self, suite: Any, result: Any, **kwargs: Any) -> int:
        Path(os.environ["DJANGO_SUITES_OUTCOMES"]).write_text(json.dumps(result.outcomes))
        return super().suite_result(suite, result, **kwargs)
