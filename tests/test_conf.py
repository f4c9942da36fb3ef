import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from djongo_services.conf import settings


def configure(**connections):
    return override_settings(DJONGO_SERVICES={"CONNECTIONS": connections})


class TestConnections:
    def test_without_a_setting_the_backends_databases_are_the_connections(self):
        with override_settings(DJONGO_SERVICES={}):
            assert list(settings.connections) == ["default"]
            assert settings.connections["default"].database == "default"

    def test_no_setting_at_all(self, settings):
        del settings.DJONGO_SERVICES
        from djongo_services.conf import settings as ours

        assert list(ours.connections) == ["default"]

    def test_a_server_of_its_own(self):
        with configure(
            archive={
                "HOST": "mongodb://db1",
                "NAME": "archive",
                "PORT": "27018",
                "USER": "ann",
                "PASSWORD": "secret",
                "OPTIONS": {"retryWrites": False},
            }
        ):
            found = settings.connections["archive"]
        assert (found.host, found.name, found.port) == ("mongodb://db1", "archive", 27018)
        assert (found.user, found.password) == ("ann", "secret")
        assert found.options == {"retryWrites": False}

    def test_a_password_is_never_shown(self):
        with configure(
            archive={"NAME": "archive", "PASSWORD": "hunter2", "OPTIONS": {"tls": "hunter2"}}
        ):
            assert "hunter2" not in repr(settings.connections)

    @pytest.mark.parametrize(
        ("value", "sentence"),
        [
            ([], "DJONGO_SERVICES must be a dict, not list."),
            (
                {"CONECTIONS": {}},
                "DJONGO_SERVICES has the unknown key 'CONECTIONS'; known keys are ",
            ),
            ({"CONNECTIONS": ["default"]}, 'DJONGO_SERVICES["CONNECTIONS"] must be a dict'),
            (
                {"CONNECTIONS": {"a": "mongodb://x"}},
                'DJONGO_SERVICES["CONNECTIONS"]["a"] must be a dict, not str.',
            ),
            (
                {"CONNECTIONS": {"a": {"URI": "x"}}},
                'DJONGO_SERVICES["CONNECTIONS"]["a"] has the unknown key \'URI\'',
            ),
            (
                {"CONNECTIONS": {"a": {"HOST": "x"}}},
                'DJONGO_SERVICES["CONNECTIONS"]["a"] needs "NAME"',
            ),
            (
                {"CONNECTIONS": {"a": {"DATABASE": "default", "NAME": "x"}}},
                "so NAME would have no effect",
            ),
            (
                {"CONNECTIONS": {"a": {"NAME": "x", "PORT": "many"}}},
                "[\"PORT\"] must be a number, not 'many'.",
            ),
            ({"CONNECTIONS": {"a": {"NAME": 3}}}, '["NAME"] must be a string.'),
            (
                {"CONNECTIONS": {"a": {"NAME": "x", "OPTIONS": [1]}}},
                '["OPTIONS"] must be a dict of MongoClient arguments.',
            ),
        ],
    )
    def test_a_wrong_setting_is_named(self, value, sentence):
        with override_settings(DJONGO_SERVICES=value):
            with pytest.raises(ImproperlyConfigured) as raised:
                _ = settings.connections
        assert sentence in str(raised.value)
