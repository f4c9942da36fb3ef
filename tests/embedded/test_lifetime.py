"""A server ends with the program that started it, however that ends, and not before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

from pymongo import MongoClient

from tests.embedded.program import ROOT, Program, alive, start_program, until


def is_gone(program: Program) -> bool:
    """Whether the mongod, its keeper and the temporary folder are gone."""
    running = [pid for pid in [*program.servers, program.keeper] if alive(pid)]
    return not running and not program.folder.exists()


def test_a_killed_program_leaves_no_server_and_no_folder():
    with start_program() as program:
        assert not is_gone(program)
        program.process.kill()
        program.process.wait()
        assert until(lambda: is_gone(program))


def test_three_members_end_with_a_killed_program_even_when_they_are_paused():
    pause = "[member.pause() for member in server.members]; print('paused', flush=True); input()"
    with start_program(then=pause, members=3) as program:
        assert program.process.stdout.readline() == "paused\n"
        program.process.kill()
        program.process.wait()
        assert until(lambda: is_gone(program))


def test_a_forked_child_does_not_keep_the_server_of_a_killed_program_alive():
    fork = "child = os.fork()\nif child: print(child, flush=True)\ntime.sleep(600)"
    with start_program(then=fork) as program:
        child = int(program.process.stdout.readline())
        try:
            program.process.kill()
            program.process.wait()
            assert until(lambda: is_gone(program))
            assert alive(child)
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_forked_child_that_ends_does_not_end_the_server():
    fork = (
        "child = os.fork()\n"
        "if not child: server.stop(); sys.exit()\n"
        "os.waitpid(child, 0); print('child has ended', flush=True); input()"
    )
    with start_program(then=fork) as program:
        assert program.process.stdout.readline() == "child has ended\n"
        with MongoClient[Any](program.uri, serverSelectionTimeoutMS=5000) as client:
            client.test.things.insert_one({})


def test_a_forked_child_cannot_control_the_members():
    fork = (
        "from djongo_services.embedded import EmbeddedServerError\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    try: server.members[0].kill()\n"
        "    except EmbeddedServerError as error: print(error, flush=True)\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0); input()"
    )
    with start_program(then=fork) as program:
        assert program.process.stdout.readline() == (
            "The embedded server belongs to the process that started it; "
            "a forked child can connect to it but not control it.\n"
        )


def test_a_program_that_ends_without_stop_leaves_nothing():
    with start_program(then="pass") as program:
        assert program.process.wait(60) == 0
        assert is_gone(program)


def test_a_killed_keeper_takes_its_servers_along_and_the_program_cleans_up():
    with start_program(then="input()") as program:
        os.kill(program.keeper, signal.SIGKILL)
        assert until(lambda: not any(alive(pid) for pid in program.servers))
        program.process.communicate("\n", timeout=60)
        assert program.process.returncode == 0
        assert not program.folder.exists()


def test_the_terminals_interrupt_reaches_the_program_alone():
    """A test run that is interrupted still has its server while it cleans up."""
    code = (
        "import os, signal\n"
        "from djongo_services.embedded import MongoServer\n"
        "with MongoServer() as server:\n"
        "    try: os.killpg(0, signal.SIGINT); signal.pause()\n"
        "    except KeyboardInterrupt:\n"
        "        with server.client(serverSelectionTimeoutMS=5000) as client:\n"
        "            client.test.things.insert_one({})\n"
        "        print('written')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        start_new_session=True,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("written\n", "", 0)
