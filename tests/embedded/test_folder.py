"""Data that is kept in a folder: found again, guarded, and refused with a reason."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pymongo import WriteConcern

from djongo_services.embedded import EmbeddedServerError, MongoServer, folder
from tests.embedded.program import ROOT, start_program


def write(server: MongoServer, **document: object) -> None:
    with server.client() as client:
        majority = WriteConcern("majority", wtimeout=10_000)
        client.test.get_collection("things", write_concern=majority).insert_one(document)


def read(server: MongoServer) -> list[dict[str, object]]:
    with server.client() as client:
        return list(client.test.things.find(projection={"_id": False}))


@pytest.mark.parametrize("version", ["4.4", "5.0", "6.0"])
def test_data_is_found_again_on_another_port(tmp_path: Path, version: str):
    with MongoServer(path=tmp_path / "data", version=version) as server:
        first = server.uri
        write(server, a=1)
    with MongoServer(path=tmp_path / "data", version=version) as server:
        assert server.uri != first
        assert read(server) == [{"a": 1}]
        write(server, a=2)


def test_data_of_three_members_is_found_again_on_other_ports(tmp_path: Path):
    with MongoServer(3, path=tmp_path) as server:
        write(server, a=1)
    with MongoServer(3, path=tmp_path) as server:
        assert read(server) == [{"a": 1}]
        write(server, a=2)


def test_data_is_found_again_after_the_program_was_killed(tmp_path: Path):
    write_one = (
        "with server.client() as client: client.test.things.insert_one({'a': 1})\n"
        "print('written', flush=True); time.sleep(600)"
    )
    with start_program(then=write_one, path=str(tmp_path)) as program:
        assert program.process.stdout.readline() == "written\n"
        program.process.kill()
        program.process.wait()
        # At once, while the keeper of the killed program may still be closing the files.
        with MongoServer(path=tmp_path) as server:
            assert read(server) == [{"a": 1}]


def test_data_is_found_again_after_the_server_was_killed(tmp_path: Path):
    with MongoServer(path=tmp_path) as server:
        write(server, a=1)
        server.members[0].kill()
    assert (tmp_path / "member0/data/mongod.lock").read_text().strip()
    with MongoServer(path=tmp_path) as server:
        assert read(server) == [{"a": 1}]


def test_a_folder_in_use_is_refused_and_its_server_unharmed(tmp_path: Path):
    with MongoServer(path=tmp_path) as server:
        with pytest.raises(EmbeddedServerError) as caught:
            MongoServer(path=tmp_path).start()
        assert str(caught.value) == (
            f"The folder {tmp_path} is in use by the server of process {os.getpid()}; "
            f"stop that process or choose another folder."
        )
        write(server, a=1)


def test_a_folder_of_a_foreign_mongod_is_refused(tmp_path: Path):
    with MongoServer(path=tmp_path / "one") as server:
        data = server.members[0].data
        other = tmp_path / "two" / "member0"
        other.mkdir(parents=True)
        (other / "data").symlink_to(data)
        with pytest.raises(EmbeddedServerError) as caught:
            MongoServer(path=tmp_path / "two").start()
    assert str(caught.value) == (
        f"Another mongod uses the folder {other / 'data'}; stop it or choose another folder."
    )


def test_another_number_of_members_is_refused(tmp_path: Path):
    for number in range(3):
        (tmp_path / f"member{number}").mkdir()
    with pytest.raises(EmbeddedServerError) as caught:
        MongoServer(path=tmp_path).start()
    assert str(caught.value) == (
        f"The folder {tmp_path} contains a server with 3 members, not 1; "
        f"start it with members=3 or choose another folder."
    )


def test_an_older_version_does_not_touch_newer_data(tmp_path: Path):
    with MongoServer(path=tmp_path, version="6.0") as server:
        newer = server.version
        write(server, a=1)
    with pytest.raises(EmbeddedServerError, match=rf"by MongoDB {newer}, which is newer than 4\.4"):
        MongoServer(path=tmp_path, version="4.4").start()
    with MongoServer(path=tmp_path, version="6.0") as server:
        assert read(server) == [{"a": 1}]


def test_the_servers_own_refusal_of_other_data_is_understood(tmp_path: Path):
    with MongoServer(path=tmp_path, version="4.4"):
        pass
    with pytest.raises(EmbeddedServerError, match="was written by another version of MongoDB"):
        MongoServer(path=tmp_path, version="6.0").start()


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/proc/data", "The folder /proc/data is not writable (no such file or directory)"),
        ("/dev/null", "/dev/null is not a folder; choose another one."),
        ("/dev/null/data", "/dev/null/data is not a folder; choose another one."),
    ],
)
def test_an_impossible_folder_is_refused(path: str, sentence: str):
    with pytest.raises(EmbeddedServerError) as caught:
        MongoServer(path=path).start()
    assert str(caught.value).startswith(sentence)


def test_a_folder_that_may_not_be_written_is_refused(tmp_path: Path):
    """Root may write everywhere; where the tests run as root, user ``nobody`` starts the server."""
    closed = Path("/tmp") / f"djongo-services-closed-{os.getpid()}"
    closed.mkdir(mode=0o555)
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from djongo_services.embedded.folder import prepare_folder\n"
        "from djongo_services.exceptions import EmbeddedServerError\n"
        "from pathlib import Path\n"
        "import os\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: prepare_folder(Path(sys.argv[1]), 1, '6.0')\n"
        "except EmbeddedServerError as error: print(error)\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, str(closed), str(ROOT)],
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        closed.rmdir()
    assert done.stdout == (
        f"The folder {closed} is not writable (permission denied); choose another one.\n"
    )


def test_too_little_space_is_said_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    free = shutil.disk_usage(tmp_path).free
    monkeypatch.setattr(folder, "MINIMUM_FREE", 2 * free)
    with pytest.raises(EmbeddedServerError, match=r"MB free and the server needs \d+ MB; free"):
        MongoServer(path=tmp_path).start()
    assert not (tmp_path / "member0").exists()


def test_a_disk_that_fills_up_is_named(tmp_path: Path):
    data = tmp_path / "member0" / "data"
    data.mkdir(parents=True)
    (data / "WiredTiger.lock").symlink_to("/dev/full")
    with pytest.raises(EmbeddedServerError) as caught:
        MongoServer(path=tmp_path).start()
    assert str(caught.value) == (
        f"The disk of {data} is full; free some space or choose another folder."
    )
