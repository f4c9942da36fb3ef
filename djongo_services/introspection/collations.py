"""Collations as the server completes them, and as users write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COLLATION_DEFAULTS: Mapping[str, Any] = {
    "caseLevel": False,
    "caseFirst": "off",
    "strength": 3,
    "numericOrdering": False,
    "alternate": "non-ignorable",
    "maxVariable": "punct",
    "normalization": False,
    "backwards": False,
}
"""MongoDB manual, "Collation". A locale may have other defaults, and the server fills them in for
an index but not for a collection (measured on 6.0.27)."""


def stated_collation(collation: Mapping[str, Any]) -> dict[str, Any]:
    """The locale and the options that differ from the default; without the version, which the
    server sets."""
    return {
        option: value
        for option, value in collation.items()
        if option != "version" and value != COLLATION_DEFAULTS.get(option)
    }
