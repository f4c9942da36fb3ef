"""Ranges that cover exactly one type in MongoDB's order of values."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping
from typing import Any

from bson import ObjectId
from bson.decimal128 import Decimal128


def whole_range(operators: Mapping[str, Any]) -> str | None:
    """The type whose values, and no others, all match the bounds.

    These are the forms of django-mongodb-backend's ``_get_partial_unique_filter``, and the lowest
    value of a type alone: a comparison finds only values of its own type.
    """
    if "$in" in operators:
        values = operators["$in"]
        return "bool" if sorted(values, key=repr) == [False, True] else None
    bounds = (operators.get("$gte"), operators.get("$lte"))
    match bounds:
        case "", None:
            return "string"
        case False, None:
            return "bool"
        case ObjectId() as low, None if str(low) == "0" * 24:
            return "objectId"
        case datetime.datetime(year=1), None | datetime.datetime(year=9999):
            return "date"
        case Decimal128() as low, Decimal128() as high if low == _DECIMAL_MIN:
            return "decimal" if high == _DECIMAL_MAX else None
        case ObjectId() as low, ObjectId() as high if str(low) == "0" * 24:
            return "objectId" if str(high) == "f" * 24 else None
        case ((int() | float()), (int() | float())):
            return _NUMBER_RANGES.get((float(bounds[0]), float(bounds[1])))
    return None


_DECIMAL_MIN = Decimal128("-9999999999999999999999999999999999E6111")
_DECIMAL_MAX = Decimal128("9999999999999999999999999999999999E6111")
_NUMBER_RANGES = {
    (-float(2**31), float(2**31 - 1)): "int",
    (-float(2**63), float(2**63 - 1)): "long",
    (-sys.float_info.max, sys.float_info.max): "double",
}
