import pytest
from django.core.checks import run_checks
from django.test import override_settings

from djongo_services.connections import connections


def ours(**options):
    # From Django 6.1 on, no databases at all means every one.
    found = run_checks(**{"databases": [], **options})
    return [one for one in found if one.id.startswith("djongo_services")]


def test_a_right_setting_passes():
    assert ours() == []


def test_no_connection_at_all():
    with override_settings(DJONGO_SERVICES={"CONNECTIONS": {}}):
        (found,) = ours()
    assert found.id == "djongo_services.E001"
    assert "DJONGO_SERVICES = " in found.hint


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"NONSENSE": 1}, "unknown key 'NONSENSE'"),
        ({"CONNECTIONS": {"a": {"DATABASE": "gone"}}}, "DATABASES['gone'], which does not exist"),
        ({"SCHEMA": {"MODELS": {"gone": ["a"]}}}, "names the connection 'gone', which does not"),
        ({"ADMIN": {"JOBS": ["a.b"]}}, '["ADMIN"]["JOBS"] must be a string.'),
        ({"ADMIN": {"TIMEOUT": 0}}, '["ADMIN"]["TIMEOUT"] must be a number above 0, not 0.'),
        (
            {"ADMIN": {"JOBS": "gone.start"}},
            '["JOBS"] cannot be imported: No module named',
        ),
        ({"INSPECTION": {"MUTE": "a"}}, '["MUTE"] must be a list of codes and patterns.'),
        ({"INSPECTION": {"MUTE": ["mixed-type"]}}, "did you mean 'mixed-types'?"),
        ({"STORAGE": {"TRASH_DAYS": -1}}, '["TRASH_DAYS"] must be a whole number of days'),
        ({"TRANSACTION": {"STANDALONE": "maybe"}}, "must be one of 'error', 'single-document'"),
        ({"TRANSACTION": ["STANDALONE"]}, '["TRANSACTION"] must be a dict, not list.'),
    ],
)
def test_a_wrong_setting(value, sentence):
    with override_settings(DJONGO_SERVICES=value):
        (found,) = ours()
    assert found.id == "djongo_services.E002"
    assert sentence in found.msg


def test_an_alias_that_is_no_mongodb():
    with override_settings(DJONGO_SERVICES={"CONNECTIONS": {"a": {"DATABASE": "sql"}}}):
        (found,) = ours()
    assert found.id == "djongo_services.E002"
    assert "DATABASES['sql'], whose engine is sqlite, not MongoDB" in found.msg


def test_an_address_that_the_driver_refuses():
    own = {"HOST": "mongodb://ann:pa55/word@127.0.0.1", "NAME": "x"}
    with override_settings(DJONGO_SERVICES={"CONNECTIONS": {"a": own}}):
        (found,) = ours(databases=["default"])
    assert found.id == "djongo_services.E002"
    assert found.msg.startswith("The connection 'a' has settings that MongoClient refuses: ")
    assert "pa55" not in found.msg


@pytest.mark.django_db
class TestServers:
    def test_are_asked_only_with_the_database_tag(self, settings):
        settings.DJONGO_SERVICES = unreachable()
        assert ours() == []

    def test_unreachable(self, settings):
        settings.DJONGO_SERVICES = unreachable()
        (found,) = ours(databases=["default"])
        assert found.id == "djongo_services.W003"
        assert "'away' (127.0.0.1:9/test_x) cannot be reached" in found.msg
        assert str(found).startswith("connection 'away': (djongo_services.W003) The MongoDB ")
        assert "secret" not in found.msg
        connections.close_all()

    def test_wrong_credentials(self, settings, mongodb_server):
        settings.DJONGO_SERVICES = {
            "CONNECTIONS": {
                "locked": {
                    "HOST": mongodb_server.uri,
                    "NAME": "x",
                    "USER": "nobody",
                    "PASSWORD": "pa55",
                }
            }
        }
        (found,) = ours(databases=["default"])
        assert found.id == "djongo_services.W003"
        assert "refused the user name or the password" in found.msg
        assert "pa55" not in found.msg
        connections.close_all()

    def test_one_that_the_backend_refuses(self, manage):
        too_new = (
            "import sys\n"
            "from django_mongodb_backend.features import DatabaseFeatures\n"
            "DatabaseFeatures.minimum_database_version = (99, 0)\n"
            "from django.core.management import execute_from_command_line as run\nrun(sys.argv)"
        )
        done = manage("check", "--tag", "database", "--database", "default", code=too_new)
        assert done.returncode == 0
        assert "refuses the MongoDB server of the connection 'default'" in done.stderr
        assert "MongoDB 99.0 or later is required" in done.stderr

    def test_a_good_one(self):
        # The tests' own models have drifted on purpose (W006).
        (found,) = ours(databases=["default"])
        assert found.id == "djongo_services.W006"
        assert str(found).startswith("connection 'default': (djongo_services.W006) The MongoDB ")


def unreachable():
    return {
        "CONNECTIONS": {
            "away": {
                "HOST": "mongodb://ann:secret@127.0.0.1:9",
                "NAME": "x",
                "OPTIONS": {"serverSelectionTimeoutMS": 50},
            }
        }
    }
