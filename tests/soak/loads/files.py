"""Files are saved, read as a whole, in ranges and by HTTP, replaced, deleted and abandoned."""

from __future__ import annotations

from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import transaction
from django.test import Client

from tests.soak.known import content_of
from tests.soak.loads.load import How, Load, Wrong
from tests.soak.town.models import Paper

KEEPERS = 3
LIVE = 12
"""Papers of each keeper."""
SLOTS = 4
"""Names of each keeper under which files are replaced."""


def make(how: How) -> list[Load]:
    return [Keeper(name=f"files-{how.seed}-{number}", how=how) for number in range(KEEPERS)]


class Keeper(Load):
    """Has separate names, so that the expected content of each is known."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.papers: dict[str, tuple[str, int]] = {}
        """By title, the name of the file and its size."""
        self.slots: dict[str, tuple[str, int] | None] = {}
        """By name, the seed of its content; None: unknown."""
        self.client = Client()

    def step(self) -> None:
        if len(self.papers) < 3:
            return self.save()
        crowded = len(self.papers) >= LIVE
        acts = [self.read, self.read_range, self.get_range, self.replace, self.read_slot]
        acts += [self.delete, self.delete, self.abandon] if crowded else [self.save, self.save]
        return self.chance.choice(acts)()

    def size(self) -> int:
        limit = self.chance.choices([4_000, 300_000, 3_000_000], [6, 3, 1])[0]
        return self.chance.randrange(limit)

    def save(self) -> None:
        title, size = self.next_name(), self.size()
        atomic = self.chance.random() < 0.7
        paper = Paper(title=title)

        def store() -> None:
            paper.file.save(f"{title}.bin", ContentFile(content_of(title, size)))

        def work() -> dict[str, Any]:
            if atomic:
                with transaction.atomic():
                    store()
            else:
                store()
            return {"name": paper.file.name}

        if self.told("save", work, undone=atomic, title=title, size=size) == "done":
            self.papers[title] = (paper.file.name, size)

    def pick(self) -> tuple[str, str, int]:
        title = self.chance.choice(sorted(self.papers))
        return title, *self.papers[title]

    def read(self) -> None:
        title, name, size = self.pick()

        def work() -> None:
            with storages["default"].open(name) as file:
                compare(title, file.read(), content_of(title, size))

        self.told("read", work)

    def read_range(self) -> None:
        title, name, size = self.pick()
        start, stop = sorted(self.chance.randrange(size + 1) for _ in range(2))

        def work() -> None:
            with storages["default"].open(name) as file:
                file.seek(start)
                compare(title, file.read(stop - start), content_of(title, size)[start:stop])

        self.told("read range", work)

    def get_range(self) -> None:
        title, name, size = self.pick()
        if size == 0:
            return
        start = self.chance.randrange(size)
        stop = self.chance.randrange(start, size)

        def work() -> None:
            answer = self.client.get(f"/media/{name}", headers={"Range": f"bytes={start}-{stop}"})
            if answer.status_code != 206:
                raise Wrong(f"{title}: status {answer.status_code} for a range")
            found = answer.getvalue()
            compare(title, found, content_of(title, size)[start : stop + 1])

        self.told("get range", work)

    def replace(self) -> None:
        slot = f"{self.name}-slot-{self.chance.randrange(SLOTS)}"
        title, size = self.next_name(), self.size()

        def work() -> None:
            found = storages["slots"].save(slot, ContentFile(content_of(title, size)))
            if found != slot:
                raise Wrong(f"{slot} was saved as {found}")

        outcome = self.told("replace", work, undone=False, slot=slot, title=title, size=size)
        self.slots[slot] = (title, size) if outcome == "done" else None

    def read_slot(self) -> None:
        known = {slot: made for slot, made in self.slots.items() if made is not None}
        if not known:
            return self.replace()
        slot = self.chance.choice(sorted(known))
        title, size = known[slot]

        def work() -> None:
            with storages["slots"].open(slot) as file:
                compare(slot, file.read(), content_of(title, size))

        self.told("read", work)
        return None

    def delete(self) -> None:
        title, name, _ = self.pick()
        atomic = self.chance.random() < 0.7

        def work() -> None:
            if atomic:
                with transaction.atomic():
                    Paper.objects.filter(title=title).delete()
                    storages["default"].delete(name)
            else:
                Paper.objects.filter(title=title).delete()
                storages["default"].delete(name)

        if self.told("delete", work, undone=atomic, title=title, name=name) != "refused":
            del self.papers[title]

    def abandon(self) -> None:
        """Delete the row alone; the collector may take the file."""
        title, name, _ = self.pick()

        def work() -> None:
            Paper.objects.filter(title=title).delete()

        self.told("abandon", work, undone=False, title=title, name=name)
        del self.papers[title]


def compare(what: str, found: bytes, expected: bytes) -> None:
    if found != expected:
        raise Wrong(f"{what}: {len(found)} bytes differ from the {len(expected)} that were saved")
