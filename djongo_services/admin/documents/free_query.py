"""A query written as Extended JSON by a user with a permission for it.

Only wrappers of values, such as ``{"$oid": ...}``, become values. ``$regex`` stays an operator,
with everything beside it. Operators that run JavaScript on the server are refused.
"""

from __future__ import annotations

import json
from typing import Any, Final

from bson.json_util import object_hook
from django.utils.translation import gettext as _

from djongo_services.admin.documents.conditions import ConditionRefused
from djongo_services.bson_decoding import NOT_EXTENDED_JSON
from djongo_services.formatting import EXTENDED_JSON

LONGEST: Final = 20_000
DEEPEST: Final = 60
_SCRIPTS: Final = frozenset({"$where", "$function", "$accumulator"})
_WRAPPERS: Final = frozenset(
    {
        *("$oid", "$date", "$uuid", "$binary", "$timestamp", "$minKey", "$maxKey"),
        *("$numberInt", "$numberLong", "$numberDouble", "$numberDecimal", "$regularExpression"),
    }
)


def parse_query(text: str) -> dict[str, Any]:
    """Raises ConditionRefused, with the next step."""
    if len(text) > LONGEST:
        raise ConditionRefused(
            _("The query is too long; use at most %(count)s characters.") % {"count": LONGEST}
        )
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ConditionRefused(
            _('The query is not JSON; write it as in {"status": {"$in": ["new", "open"]}}.')
        ) from None
    if not isinstance(found, dict):
        raise ConditionRefused(
            _('The query must be an object; write it as in {"status": {"$in": ["new", "open"]}}.')
        )
    query = _decoded(found, DEEPEST)
    if not isinstance(query, dict):
        raise ConditionRefused(
            _('The query must be an object; write it as in {"status": {"$in": ["new", "open"]}}.')
        )
    return query


def _decoded(value: Any, levels: int) -> Any:
    if levels == 0:
        raise ConditionRefused(
            _("The query is nested too deeply; use at most %(count)s levels.") % {"count": DEEPEST}
        )
    match value:
        case list():
            return [_decoded(each, levels - 1) for each in value]
        case dict() if len(value) == 1 and not _WRAPPERS.isdisjoint(value):
            return _wrapped(value)
        case dict():
            for name in value:
                if name in _SCRIPTS:
                    raise ConditionRefused(
                        _("%(name)s runs scripts on the server and cannot be used here.")
                        % {"name": name}
                    )
                if "\0" in name:
                    raise ConditionRefused(
                        _("The name of a field has a NUL character; leave it out.")
                    )
            return {name: _decoded(each, levels - 1) for name, each in value.items()}
        case int() if not isinstance(value, bool) and not -(2**63) <= value < 2**63:
            raise ConditionRefused(
                _('A number is too large; write it as {"$numberDecimal": "..."}.')
            )
    return value


def _wrapped(value: dict[str, Any]) -> Any:
    try:
        return object_hook(value, EXTENDED_JSON)
    except NOT_EXTENDED_JSON:
        (name,) = value
        raise ConditionRefused(
            _("The value of %(name)s is not what Extended JSON has there; correct it.")
            % {"name": name}
        ) from None
