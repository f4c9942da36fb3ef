"""The parts on which the matrix of versions depends: servers that the backend refuses, and the
table."""

from __future__ import annotations

from tests.conftest import RunDjango
from tests.versions import table

FLOOR = """
from django_mongodb_backend.features import DatabaseFeatures
print(DatabaseFeatures.minimum_database_version is None)
"""


def test_the_backend_takes_older_servers_only_where_that_is_asked_for(manage: RunDjango) -> None:
    for asked, lifted in (("", "False\n"), ("yes", "True\n")):
        done = manage(code=FLOOR, env={"DJONGO_SERVICES_TEST_ANY_SERVER": asked})
        assert (done.stdout, done.stderr) == (lifted, "")


def test_the_table_has_a_row_for_each_environment() -> None:
    one = {"python": "3.12.1", "django": "5.2.19", "backend": "5.2.4", "skipped": 1, "errors": 0}
    other = {**one, "python": "3.9.2"}
    rows = table(
        [
            {**one, "room": "engine", "server": "6.0", "tests": 11, "failures": 0},
            {**one, "room": "sql", "server": "4.4", "tests": 11, "failures": 2},
            {**other, "room": "stock", "server": "6.0", "tests": 3, "failures": 0},
        ]
    ).splitlines()
    assert rows[2:] == [
        "| 3.9.2 | 5.2.19 | 5.2.4 | - | - | - | 2 passed | - | - | - |",
        "| 3.12.1 | 5.2.19 | 5.2.4 | 10 passed | - | - | - | - | - | 8 passed, 2 failed |",
    ]
