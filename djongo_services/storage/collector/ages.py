"""How old something is, as people write it: ``48h``."""

from __future__ import annotations

import re
from datetime import timedelta

LONGEST = timedelta(days=36_525)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_NAMES = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}


def parse_age(text: str) -> timedelta:
    """``90s``, ``30m``, ``48h``, ``7d``, ``2w``; raises ValueError for anything else."""
    match = re.fullmatch(r"(\d{1,9})([smhdw])", text.strip())
    if match is None:
        raise ValueError(
            f"{text!r} is no age; write a number and s, m, h, d or w for seconds to weeks, "
            f"such as 48h"
        )
    seconds = int(match[1]) * _SECONDS[match[2]]
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"{text!r} is longer than any file is old")
    return timedelta(seconds=seconds)


def age_text(age: timedelta) -> str:
    """In the largest unit that fits, up to days: ``48 hours``, ``7 days``, ``90 seconds``."""
    seconds = round(age.total_seconds())
    if seconds == 172_800:
        return "48 hours"  # As it is known by.
    for unit in ("d", "h", "m", "s"):
        number, rest = divmod(seconds, _SECONDS[unit])
        if number and not rest:
            return f"{number:,} {_NAMES[unit]}{'' if number == 1 else 's'}"
    return "0 seconds"
