from collections.abc import Sequence


def used(names: Sequence[str]) -> set[str]:
    return {"used.txt"}


def broken(names: Sequence[str]) -> set[str]:
    raise ValueError("no idea")
