"""Indexes that another index makes redundant.

A declared index is redundant only beside another declared one, and then the model should leave it
out. So no advice is to drop what the next sync would recreate, nor to keep what ``--prune drop``
would drop.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from djongo_services.introspection.catalog import Index


def redundant(
    indexes: Sequence[Index], declared: Container[str] = ()
) -> Iterator[tuple[Index, Index]]:
    """Each redundant index, with the other index that does everything that it does.

    ``declared`` are the names of those that models declare.
    """
    for number, index in enumerate(indexes):
        for other_number, other in enumerate(indexes):
            if other is index or not covers(other, index):
                continue
            stays = index.name in declared
            if stays and other.name not in declared:
                continue
            # Of two equal ones, the declared one stays, otherwise the earlier one.
            same = len(other.keys) == len(index.keys) and _is_plain(other)
            if same and other_number > number and stays == (other.name in declared):
                continue
            yield index, other
            break


def covers(other: Index, index: Index) -> bool:
    """Whether ``other`` does everything that ``index`` does."""
    return _is_plain(index) and _covers(other, index)


def _is_plain(index: Index) -> bool:
    """Whether an index only speeds up queries, so that another one can replace it.

    A hidden one is already being tested for that.
    """
    return (
        index.kind.is_ordinary
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
    if not other.kind.is_ordinary or len(other.keys) < len(index.keys):
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
