"""Going over a bucket: the streams of a scope, merged into windows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from djongo_services.introspection.progress import Stop
from djongo_services.storage.collector.accounts import Accounts
from djongo_services.storage.collector.file_rows import IDS, identified
from djongo_services.storage.collector.kinds import Kind
from djongo_services.storage.collector.merging import Merge, Window
from djongo_services.storage.collector.places import Documents, Places
from djongo_services.storage.collector.scope import Scope
from djongo_services.storage.collector.streams import BEYOND, IndexStream

FILES_AT_ONCE = 2_000
"""In a batch of a stream: decoded with their names, they take two megabytes."""

WITHOUT_NAMES = 20
"""How many times as many files a window has where only the suspicious ones are remembered: each
window with garbage costs a dozen queries."""


@contextmanager
def scan(
    places: Places, scope: Scope, *, after: tuple[Any] | None, batch_size: int, stop: Stop | None
) -> Iterator[Iterator[Window]]:
    """The windows of the bucket, behind the id ``after``; the streams end with the block."""
    with ExitStack() as stack:

        def opened(stream: IndexStream) -> Iterator[bytes]:
            batches: Iterator[bytes] = stack.enter_context(closing(stream.batches()))
            return batches

        def by_id(collection: Documents, projection: Any) -> Iterator[bytes]:
            return opened(
                IndexStream(
                    collection=collection,
                    keys=("_id",),
                    projection=projection,
                    batch_size=min(batch_size, FILES_AT_ONCE),
                    after=after,
                    stop=stop,
                )
            )

        def chunks(projection: Any) -> Iterator[bytes]:
            return opened(
                IndexStream(
                    collection=places.chunks,
                    keys=("files_id", "n"),
                    projection=projection,
                    batch_size=scope.chunks_at_once(batch_size),
                    after=None if after is None else (*after, BEYOND),
                    stop=stop,
                )
            )

        file_projection, entries_of = scope.file_stream()
        chunk_projection, runs_of = scope.chunk_stream()
        owners = (places.trash, places.uploads)
        merge = Merge(
            entries_of(by_id(places.files, file_projection)),
            runs_of(chunks(chunk_projection) if scope.merges else iter(())),
            is_accounted=Accounts(identified(by_id(each, IDS)) for each in owners),
            keep_rows=scope.names,
            keep_suspects=Kind.BROKEN in scope.kinds,
            size=batch_size,
            files=batch_size if scope.names else batch_size * WITHOUT_NAMES,
        )
        yield merge.windows()
