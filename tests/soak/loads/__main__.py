"""``python -m tests.soak.loads PROGRAM SEED FOLDER``: the loads of a program, each in a thread.

Reads commands from stdin: ``stop`` lets each load end its operation, then the program says that it
is idle, and keeps its connections; the end of stdin ends it.
"""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path

import django


def main() -> None:
    program, seed, folder = sys.argv[1:]
    django.setup()
    from tests.soak.loads.load import How, Load, report

    loads = importlib.import_module(f"tests.soak.loads.{program}").make(
        How(seed=seed, folder=Path(folder))
    )
    stop = threading.Event()

    def run(load: Load) -> None:
        from django.db import connections

        while not stop.is_set():
            load.step()
        connections.close_all()

    threads = [threading.Thread(target=run, args=[load], name=load.name) for load in loads]
    for thread in threads:
        thread.start()
    report(state="started")
    for line in sys.stdin:
        if line.strip() == "stop":
            stop.set()
            for thread in threads:
                thread.join()
            report(state="idle")
    stop.set()


if __name__ == "__main__":
    main()
