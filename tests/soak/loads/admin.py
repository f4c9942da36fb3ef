"""Visitors of the admin's pages."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.test import Client

from tests.soak.known import VISITOR
from tests.soak.loads.load import How, Load, Wrong

VISITORS = 2
COLLECTION = "/admin/djongo_services/collection/default_2Ftown_5Ftransfer"
PAGES = (
    "/admin/",
    "/admin/town/transfer/",
    "/admin/town/paper/",
    "/admin/djongo_services/collection/",
    "/admin/djongo_services/collection/plan/",
    f"{COLLECTION}/change/",
    f"{COLLECTION}/documents/",
    f"{COLLECTION}/schema/",
    f"{COLLECTION}/validator/",
    "/admin/djongo_services/collection/runs/",
    "/admin/djongo_services/file/",
    "/admin/djongo_services/file/default_2Fmedia/files/",
    "/admin/djongo_services/file/default_2Fmedia/collector/",
    "/admin/djongo_services/file/default_2Fmedia/totals/",
    "/admin/djongo_services/transaction/",
)


def make(how: How) -> list[Load]:
    return [Visitor(name=f"visitor-{number}", how=how) for number in range(VISITORS)]


class Visitor(Load):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.client: Client | None = None

    def step(self) -> None:
        if self.client is None:
            self.told("login", self.log_in)
            return
        page = self.chance.choice(PAGES)

        def work() -> None:
            answer = self.client.get(page)
            content = answer.getvalue()
            if answer.status_code != 200 or b"</html>" not in content:
                raise Wrong(f"{page}: status {answer.status_code}")

        self.told("page", work, page=page)

    def log_in(self) -> None:
        client = Client()
        client.force_login(get_user_model().objects.get(username=VISITOR))
        self.client = client
