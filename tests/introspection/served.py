"""Do generated models serve the data they came from?

:meth:`Served.problems` makes collections of documents, generates the models with the real
inspection, and puts them into a project: they are imported and checked, every document is loaded,
cleaned and saved, forms and admin pages are opened and sent back, and the schema is compared and
synchronised under both sets of rules.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from pymongo import IndexModel
from pymongo.database import Database

from djongo_services.introspection.inspecting import inspect_database
from djongo_services.introspection.modelling import Style, render_models
from djongo_services.introspection.report import Depth
from tests.introspection.modelling_syntax import assert_inert

ROOT = Path(__file__).parents[2]
Documents = Sequence[Mapping[str, Any]]
Make = Callable[[Database[Any]], None]


class Served:
    """One project of one style, whose database is filled again for each shape."""

    def __init__(self, database: Database[Any], uri: str, style: Style) -> None:
        self.database = database
        self.style = style
        self.text = ""
        """The module that was generated last."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.introspection.served_project.serve"],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.introspection.served_project.settings",
                "SERVED_STYLE": style,
                "SERVED_URI": uri,
                "SERVED_DATABASE": database.name,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def problems(
        self,
        collections: Mapping[str, Documents] | Make,
        *,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        indexes: Mapping[str, Sequence[IndexModel]] | None = None,
        values: bool = False,
        depth: Depth = "exact",
        come: Make | None = None,
    ) -> list[str]:
        """What the models of these collections do wrong; empty where they serve them.

        ``options`` are those of ``create``, by collection. A function fills the database itself.
        ``come`` adds documents when the models are there.
        """
        for name in self.database.list_collection_names():
            if not name.startswith("system."):
                self.database.drop_collection(name)
        if callable(collections):
            collections(self.database)
        else:
            _fill(self.database, collections, options or {}, indexes or {})
        report = inspect_database(self.database, depth=depth, values=values)
        self.text = render_models(report, style=self.style)
        assert_inert(self.text)
        if come is not None:
            come(self.database)
        return self._ask({"text": self.text})

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait(30)

    def _ask(self, request: Mapping[str, Any]) -> list[str]:
        lines: IO[str] | None = self._process.stdin
        answers: IO[str] | None = self._process.stdout
        assert lines is not None
        assert answers is not None
        lines.write(json.dumps(request) + "\n")
        lines.flush()
        answer: list[str] = json.loads(answers.readline())
        return answer


def _fill(
    database: Database[Any],
    collections: Mapping[str, Documents],
    options: Mapping[str, Mapping[str, Any]],
    indexes: Mapping[str, Sequence[IndexModel]],
) -> None:
    for name in {**options, **collections}:
        collection = database.create_collection(name, **options.get(name, {}))
        if indexes.get(name):
            collection.create_indexes(list(indexes[name]))
        if documents := [dict(each) for each in collections.get(name, ())]:
            collection.insert_many(documents)
