"""Indexes that another index makes superfluous."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from djongo_services.introspection.catalog import Index


def redundant(indexes: Sequence[Index]) -> Iterator[tuple[Index, Index]]:
    """Each index that does nothing but what another does too, with that other one."""
    for number, index in enumerate(indexes):
        if not _is_plain(index):
            continue
        for other_number, other in enumerate(indexes):
            if other is index or not _covers(other, index):
                continue
            # Of two that say the same, the later is the one too many.
            same = len(other.keys) == len(index.keys)
            if same and _is_plain(other) and other_number > number:
                continue
            yield index, other
            break


def _is_plain(index: Index) -> bool:
    """Whether an index does nothing but speed queries up, so that another can take its place.

    A hidden one is being tried out without already.
    """
    return (
        index.type in ("regular", "compound")
        and not index.is_id
        and not index.unique
        and not index.prepare_unique
        and not index.sparse
        and not index.hidden
        and index.partial_filter is None
        and index.expire_after_seconds is None
        and index.build is None
    )


def _covers(other: Index, index: Index) -> bool:
    """Whether ``other`` finds every document that ``index`` does, in the same order."""
    if other.type not in ("regular", "compound") or len(other.keys) < len(index.keys):
        return False
    if other.sparse or other.hidden or other.partial_filter is not None or other.build is not None:
        return False
    if (other.collation or None) != (index.collation or None):
        return False
    start = other.keys[: len(index.keys)]
    if [name for name, _ in start] != [name for name, _ in index.keys]:
        return False
    signs = {_sign(one) == _sign(two) for (_, one), (_, two) in zip(start, index.keys, strict=True)}
    return len(signs) == 1


def _sign(direction: int | float | str) -> bool:
    return not isinstance(direction, str) and direction > 0
