"""What the collector looks for."""

from __future__ import annotations

import enum

from djongo_services.introspection.rendering.numbers import counted


class Kind(enum.StrEnum):
    """The values are those of ``--only``, of reports and of entries in the trash."""

    ORPHAN_CHUNKS = "orphan-chunks"
    """Chunks that belong to no file, no upload and no entry of the trash; those of one files_id
    count as one."""
    BROKEN = "broken"
    """Files whose chunks are not what their files document says."""
    UNREFERENCED = "unreferenced"
    """Files that no row and no provider names."""
    SUPERSEDED = "superseded"
    """Files of which there is a newer one of the same name."""
    STALE_UPLOADS = "stale-uploads"
    """Uploads that the upload handler began and nobody went on with."""

    @property
    def words(self) -> str:
        return _WORDS[self][1]

    def counted(self, number: int) -> str:
        """``1 broken file``, ``1,234 broken files``."""
        return counted(number, *_WORDS[self])


ALL = frozenset(Kind)

_WORDS = {
    Kind.ORPHAN_CHUNKS: ("run of orphan chunks", "runs of orphan chunks"),
    Kind.BROKEN: ("broken file", "broken files"),
    Kind.UNREFERENCED: ("unreferenced file", "unreferenced files"),
    Kind.SUPERSEDED: ("superseded revision", "superseded revisions"),
    Kind.STALE_UPLOADS: ("stale upload", "stale uploads"),
}
