"""The plugin in another project."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.embedded.program import alive


def run_pytest(folder: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJ"))
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args],
        cwd=folder,
        env={**environment, "TMPDIR": str(folder), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def project(folder: Path, test: str, ini: str = "") -> None:
    (folder / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
    (folder / "test_it.py").write_text(test)


def test_a_project_that_does_not_use_it_pays_nothing(tmp_path: Path):
    project(
        tmp_path,
        "import sys\n"
        "def test(pytestconfig):\n"
        "    assert pytestconfig.pluginmanager.has_plugin('djongo_services')\n"
        "    loaded = [name for name in ('pymongo', 'django.db', 'djongo_services.conf',\n"
        "              'djongo_services.embedded.server') if name in sys.modules]\n"
        "    assert loaded == []\n",
    )
    done = run_pytest(tmp_path, "-p", "no:django")
    assert done.returncode == 0, done.stdout
    assert not list(tmp_path.glob("djongo-services-mongod-*"))


def test_fixtures_share_one_server_and_end_it(tmp_path: Path):
    project(
        tmp_path,
        "from pathlib import Path\n"
        "def test_one(mongodb_server, mongodb_servers):\n"
        "    assert mongodb_server.version == '5.0.4'\n"
        "    assert mongodb_servers('5.0') is mongodb_server\n"
        "    assert mongodb_servers('4.4').version == '4.4.2'\n"
        "def test_two(mongodb_server):\n"
        "    Path('pid').write_text(str(mongodb_server.members[0].pid))\n",
        ini="mongodb_version = 5.0",
    )
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout
    assert not list(tmp_path.glob("djongo-services-mongod-*"))
    assert not alive(int((tmp_path / "pid").read_text()))


def test_a_version_that_is_not_there_fails_in_one_sentence(tmp_path: Path):
    project(tmp_path, "def test(mongodb_server): pass\n")
    done = run_pytest(tmp_path, "--mongodb-version", "3.6")
    assert done.returncode == 1
    assert "No mongod 3.6 was found" in done.stdout
    assert "Traceback" not in done.stdout


def test_the_settings_see_the_uri(tmp_path: Path):
    project(
        tmp_path,
        "def test(mongodb_server):\n"
        "    from django.conf import settings\n"
        "    assert settings.FOUND == mongodb_server.uri\n",
        ini="DJANGO_SETTINGS_MODULE = its_settings\nmongodb_uri_variable = MY_URI\npythonpath = .",
    )
    (tmp_path / "its_settings.py").write_text("import os\nFOUND = os.environ['MY_URI']\n")
    (tmp_path / "manage.py").write_text("")
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_variable_that_is_set_is_respected(tmp_path: Path):
    project(
        tmp_path,
        "import os\ndef test(): assert os.environ['MY_URI'] == 'mongodb://db1/'\n",
        ini="mongodb_uri_variable = MY_URI",
    )
    done = run_pytest(tmp_path, "-p", "no:django", MY_URI="mongodb://db1/")
    assert done.returncode == 0, done.stdout
    assert not list(tmp_path.glob("djongo-services-mongod-*"))


def test_workers_of_xdist_have_servers_of_their_own(tmp_path: Path):
    test = (
        "import os\n"
        "from pathlib import Path\n"
        "def test(mongodb_server, worker_id):\n"
        "    assert os.environ['MY_URI'] == mongodb_server.uri\n"
        "    Path(worker_id).write_text(mongodb_server.uri)\n"
    )
    project(tmp_path, test, ini="mongodb_uri_variable = MY_URI")
    (tmp_path / "test_other.py").write_text(test)
    done = run_pytest(tmp_path, "-n", "2", "--dist", "loadfile", "-p", "no:django")
    assert done.returncode == 0, done.stdout
    first, second = ((tmp_path / worker).read_text() for worker in ("gw0", "gw1"))
    assert first != second
    assert not list(tmp_path.glob("djongo-services-mongod-*"))


def test_the_session_ends_when_the_server_has(tmp_path: Path):
    project(
        tmp_path,
        "import os, signal\n"
        "def test_one(mongodb_server):\n"
        "    os.kill(mongodb_server.members[0].pid, signal.SIGABRT)\n"
        "    mongodb_server.members[0]._keeper.wait(0, 30)\n"
        "def test_two(): pass\n"
        "def test_three(): pass\n",
        ini="mongodb_version = 4.4",
    )
    done = run_pytest(tmp_path)
    assert done.returncode == 1
    assert "1 passed" in done.stdout
    assert "MongoDB 4.4.2 of these tests has ended with status -6; its last" in done.stdout
    assert "Got signal: 6" in done.stdout
