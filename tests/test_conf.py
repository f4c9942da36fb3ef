from datetime import timedelta

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
        ("host", "shown"),
        [
            ("mongodb://ann:hunter2@db1:27018/a", "mongodb://***@db1:27018/a"),
            ("mongodb+srv://ann:hunter2@cluster.example", "mongodb+srv://***@cluster.example"),
            ("mongodb://ann:hun@ter2/@db1", "mongodb://***@db1"),
            ("mongodb://ann:hunter2?x=/y@db1,db2/?replicaSet=r", "mongodb://***@db1,db2/?***"),
            (
                "mongodb://db1/?authMechanismProperties=AWS_SESSION_TOKEN:hunter2",
                "mongodb://db1/?***",
            ),
            ("db1", "db1"),
        ],
    )
    def test_a_password_in_a_uri_is_never_shown(self, host, shown):
        with configure(archive={"NAME": "archive", "HOST": host}):
            found = settings.connections["archive"]
        assert found.host == host
        assert "hunter2" not in repr(found)
        assert f"host={shown!r}" in repr(found)

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


def storage(**keys):
    return override_settings(DJONGO_SERVICES={"STORAGE": keys})


class TestInspection:
    def test_nothing_is_muted_by_default(self):
        with override_settings(DJONGO_SERVICES={}):
            assert settings.inspection.mute == ()
            assert not settings.inspection.check_shapes

    def test_what_is_muted(self):
        with override_settings(DJONGO_SERVICES={"INSPECTION": {"MUTE": ["a.*", "mixed-types"]}}):
            assert settings.inspection.mute == ("a.*", "mixed-types")

    @pytest.mark.parametrize(
        ("value", "sentence"),
        [
            ([], '["INSPECTION"] must be a dict, not list.'),
            (
                {"MUTES": []},
                "[\"INSPECTION\"] has the unknown key 'MUTES'; known keys are MUTE, CHECK_SHAPES.",
            ),
            ({"CHECK_SHAPES": 1}, '["INSPECTION"]["CHECK_SHAPES"] must be True or False.'),
            ({"MUTE": "a"}, '["INSPECTION"]["MUTE"] must be a list of codes and patterns.'),
            ({"MUTE": [5]}, '["INSPECTION"]["MUTE"] contains 5; write codes and patterns such as'),
        ],
    )
    def test_a_wrong_setting_is_named(self, value, sentence):
        with (
            override_settings(DJONGO_SERVICES={"INSPECTION": value}),
            pytest.raises(ImproperlyConfigured) as raised,
        ):
            _ = settings.inspection
        assert sentence in str(raised.value)


class TestStorage:
    def test_defaults(self):
        with override_settings(DJONGO_SERVICES={}):
            found = settings.storage
        assert found.references == ()
        assert found.grace == timedelta(hours=48)
        assert found.trash_days == 30
        assert found.encryption_keys == {}
        assert (found.uploads.storage, found.uploads.max_size, found.uploads.max_total) == (
            "default",
            None,
            None,
        )

    def test_all_of_it(self):
        with storage(
            REFERENCES=["app.references.of_pages", "app.references.of_mails"],
            GRACE=timedelta(days=3),
            TRASH_DAYS=0,
            ENCRYPTION_KEYS={"2026": "key", "2025": "older"},
            UPLOADS={
                "STORAGE": "media",
                "MAX_SIZE": 5,
                "MAX_TOTAL": 0,
                "PROGRESS": "app.progress.tell",
            },
        ):
            found = settings.storage
        assert found.references == ("app.references.of_pages", "app.references.of_mails")
        assert (found.grace, found.trash_days) == (timedelta(days=3), 0)
        assert list(found.encryption_keys) == ["2026", "2025"]
        assert found.uploads.storage == "media"
        assert (found.uploads.max_size, found.uploads.max_total) == (5, 0)
        assert found.uploads.progress == "app.progress.tell"

    @pytest.mark.parametrize(
        ("value", "expected"),
        [(90, timedelta(seconds=90)), (0.5, timedelta(seconds=0.5)), (0, timedelta(0))],
    )
    def test_grace_in_seconds(self, value, expected):
        with storage(GRACE=value):
            assert settings.storage.grace == expected

    def test_keys_are_never_shown(self):
        with storage(ENCRYPTION_KEYS={"2026": "secret"}):
            assert "secret" not in repr(settings.storage)
        with (
            storage(ENCRYPTION_KEYS={"2026": b"secret"}),
            pytest.raises(ImproperlyConfigured) as caught,
        ):
            assert settings.storage
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("keys", "sentence"),
        [
            ({"GRACES": 1}, r'\["STORAGE"\] has the unknown key \'GRACES\'; known keys are REFERE'),
            ({"GRACE": -1}, r'\["GRACE"\] must be a timedelta or seconds, from 0 to 36,525 days'),
            ({"GRACE": timedelta(days=-1)}, r'\["GRACE"\] must be a timedelta or seconds'),
            ({"GRACE": timedelta.max}, r'\["GRACE"\] must be a timedelta or seconds'),
            ({"GRACE": float("nan")}, r'\["GRACE"\] must be a timedelta or seconds.* not nan'),
            ({"GRACE": float("inf")}, r'\["GRACE"\] must be a timedelta or seconds.* not inf'),
            ({"GRACE": True}, r'\["GRACE"\] must be a timedelta or seconds'),
            ({"GRACE": "48h"}, r'\["GRACE"\] must be a timedelta or seconds'),
            ({"TRASH_DAYS": -1}, r'\["TRASH_DAYS"\] must be a whole number of days from 0 to 36'),
            ({"TRASH_DAYS": 10**9}, r'\["TRASH_DAYS"\] must be a whole number of days'),
            ({"TRASH_DAYS": 1.5}, r'\["TRASH_DAYS"\] must be a whole number of days'),
            ({"TRASH_DAYS": True}, r'\["TRASH_DAYS"\] must be a whole number of days'),
            ({"REFERENCES": "app.f"}, r'\["REFERENCES"\] must be a list of dotted paths'),
            ({"REFERENCES": ["f"]}, r'\["REFERENCES"\] contains \'f\'; write dotted paths such as'),
            ({"SEARCH": "all"}, r'\["SEARCH"\] must be one of .everything., .fields., not .all.'),
            ({"SEARCH": []}, r'\["SEARCH"\] must be one of'),
            ({"EXCLUDE": "a/*"}, r'\["EXCLUDE"\] must be a list of patterns such as'),
            ({"EXCLUDE": [""]}, r'\["EXCLUDE"\] contains ..; write patterns such as'),
            ({"SEARCH_EXCLUDE": [5]}, r'\["SEARCH_EXCLUDE"\] contains 5; write patterns'),
            ({"REFERENCES": [5]}, r'\["REFERENCES"\] contains 5; write dotted paths'),
            ({"ENCRYPTION_KEYS": ["a"]}, r'\["ENCRYPTION_KEYS"\] must be a dict of strings'),
            ({"ENCRYPTION_KEYS": {1: "a"}}, r'\["ENCRYPTION_KEYS"\] must be a dict of strings'),
            ({"UPLOADS": []}, r'\["UPLOADS"\] must be a dict, not list'),
            ({"UPLOADS": {"SIZE": 1}}, r'\["UPLOADS"\] has the unknown key \'SIZE\''),
            ({"UPLOADS": {"MAX_SIZE": "1"}}, r'\["MAX_SIZE"\] must be a number of bytes or None'),
            ({"UPLOADS": {"MAX_TOTAL": -1}}, r'\["MAX_TOTAL"\] must be a number of bytes or None'),
            ({"UPLOADS": {"STORAGE": 5}}, r'\["STORAGE"\] must be a string'),
            ({"UPLOADS": {"PROGRESS": 5}}, r'\["PROGRESS"\] must be a string'),
        ],
        ids=str,
    )
    def test_what_is_wrong(self, keys, sentence):
        with storage(**keys), pytest.raises(ImproperlyConfigured, match=sentence):
            assert settings.storage

    def test_no_dict(self):
        with (
            override_settings(DJONGO_SERVICES={"STORAGE": 5}),
            pytest.raises(ImproperlyConfigured, match=r'\["STORAGE"\] must be a dict, not int'),
        ):
            assert settings.storage
