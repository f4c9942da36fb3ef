"""Proving that a shape covers every document: the server looks for one that it does not cover.

A closed schema is made of what is known. The server returns documents that do not match it; they
are learnt, which only ever widens the schema, so a document that once matched matches for good.
Therefore the search goes on after the last ``_id`` seen instead of starting again: one pass in all,
however many oddities there are. A search that ends before its limit has seen the whole range.

What is proven concerns the documents that were there when the search passed them and were not
changed afterwards. Documents that no schema can describe (nested deeper than
:data:`~.proof_schema.MAXIMUM_DEPTH`, names that are not valid UTF-8) never match, and so each of
them is read.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from typing import Final

from djongo_services.introspection.profiling.folding import fold
from djongo_services.introspection.profiling.proof_schema import Schema, closed_schema
from djongo_services.introspection.profiling.ranges import Bound, Range
from djongo_services.introspection.profiling.shape import FETCHED, ObjectShape
from djongo_services.introspection.profiling.source import Source
from djongo_services.introspection.profiling.walk import learn

LIMIT: Final = 200
"""Documents fetched per query: a new schema is due after that many surprises."""

GROWTH: Final = 4
"""By how much the limit grows where a search can only start again from the beginning."""


class Proof:
    """Shared by the threads that search; the shape is changed under one lock."""

    def __init__(self, source: Source, shape: ObjectShape) -> None:
        self._source = source
        self._shape = shape
        self._lock = threading.Lock()
        self._digests: set[bytes] = set()
        self.fetched = 0
        self.rounds = 0

    def search(self, part: Range) -> None:
        """Widen the shape until it covers the part, in the order of ``_id``."""
        rest, limit = part, LIMIT
        while True:
            number, last = self._fetch(rest, self._next_schema(), limit, by_id=True)
            if number < limit:
                return
            if last is not None:
                rest, limit = replace(rest, low=last, after=True), LIMIT
            else:
                limit *= GROWTH

    def search_unordered(self) -> None:
        """The same where there is no index on ``_id`` to go on from: views, time-series.

        Every search starts from the beginning, and returns again what no schema can describe.
        """
        limit = LIMIT
        while self._fetch(Range(), self._next_schema(), limit, by_id=False)[0] >= limit:
            limit *= GROWTH

    def _next_schema(self) -> Schema:
        with self._lock:
            self.rounds += 1
            return closed_schema(self._shape)

    def _fetch(
        self, part: Range, schema: Schema, limit: int, *, by_id: bool
    ) -> tuple[int, Bound | None]:
        """Learn the documents of a part that do not match: how many, and the last of them."""
        query = {"$and": [part.query(), {"$nor": [{"$jsonSchema": schema}]}]}
        number, document = 0, b""
        for document in self._source.find_raw(query, limit=limit, by_id=by_id):
            number += 1
            self._learn(document, again=not by_id)
        if not number:
            return 0, None
        with self._lock:
            fold(self._shape)
        return number, Bound.of(document)

    def _learn(self, document: bytes, *, again: bool) -> None:
        """Once; ``again`` says that a later search may return the document once more."""
        digest = hashlib.blake2b(document, digest_size=16).digest()
        with self._lock:
            if digest in self._digests:
                return
            if again:
                self._digests.add(digest)
            learn(self._shape, document, FETCHED)
            self.fetched += 1
