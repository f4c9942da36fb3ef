"""Numbers as people read them."""

from __future__ import annotations

_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")


def count(number: int) -> str:
    """``1,234``."""
    return f"{number:,}"


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """``1 document``, ``1,234 documents``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def size(number: float) -> str:
    """Bytes in decimal units: ``0 B``, ``849 B``, ``1.2 MB``."""
    if number < 1000:
        return f"{number:.0f} B"
    for unit in _UNITS:
        number /= 1000
        if number < 999.95 or unit == _UNITS[-1]:
            break
    return f"{number:.1f} {unit}"


def percent(share: float) -> str:
    """``42 %``; never ``0 %`` for something that there is, nor ``100 %`` for less than all."""
    if 0 < share < 0.01:
        return f"{share:.1%}".replace("%", " %") if share >= 0.001 else "<0.1 %"
    if 0.99 < share < 1:
        return f"{share:.1%}".replace("%", " %") if share < 0.9995 else ">99.9 %"
    return f"{share * 100:.0f} %"


def decimal(number: float) -> str:
    """``3``, ``3.1``: one digit, where it says something."""
    return f"{number:,.1f}".removesuffix(".0")
