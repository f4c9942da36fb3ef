"""Index definitions in one normal form, so that equal meanings compare equal.

The server stores definitions in its own form: doubles for integers, a collation with every option,
text keys as ``_fts`` and weights. Models have another form. Both sides go through
:func:`normal_index` before they are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from djongo_services.index_kinds import DESCRIPTION, OPTION_DEFAULTS, PATH_OPTIONS, VERSIONS
from djongo_services.introspection.catalog import Direction, Index
from djongo_services.introspection.collations import COLLATION_DEFAULTS
from djongo_services.schema.diff.filters import Frozen, freeze, normal_filter
from djongo_services.schema.spec import IndexSpec

Keys: TypeAlias = tuple[tuple[str, int | str], ...]

_NORMALIZING = "as bn my el gu he hi ig kn km kok mr or ps fa fa_AF pa si ta te th vi yi yo"

LOCALE_DEFAULTS: dict[str, dict[str, Any]] = {
    **{locale: {"normalization": True} for locale in _NORMALIZING.split()},
    "da": {"caseFirst": "upper"},
    "mt": {"caseFirst": "upper"},
    "fr_CA": {"backwards": True},
    "th": {"alternate": "shifted", "normalization": True},
}
"""The options of an index on 6.0.27, in addition to COLLATION_DEFAULTS, if its collation names only
the locale."""

_OWN_COMPARISON = {
    *DESCRIPTION,
    *VERSIONS,
    *PATH_OPTIONS,
    *("hidden", "expireAfterSeconds", "prepareUnique", "collation"),
}
"""Options that are compared elsewhere, or a version that the server chooses."""


@dataclass(frozen=True, slots=True)
class NormalIndex:
    """What makes two indexes the same, apart from name, visibility, TTL and collation."""

    keys: Keys
    options: Frozen
    partial_filter: Frozen
    projection: Frozen
    weights: Frozen


def normal_spec(spec: IndexSpec) -> NormalIndex:
    return _normal(spec.keys, spec.options)


def normal_index(index: Index) -> NormalIndex:
    return _normal(index.keys, index.definition)


def same_collation(
    wanted: Mapping[str, Any] | None,
    found: Mapping[str, Any] | None,
    inherited: Mapping[str, Any] | None = None,
) -> bool:
    """Whether the server created ``found`` from ``wanted``.

    An index without a collation inherits its collection's; ``{"locale": "simple"}`` means none. An
    option that ``wanted`` omits matches the general default and the locale's.
    """
    effective = wanted if wanted is not None else inherited
    if effective is None or effective.get("locale") == "simple":
        return found is None or found.get("locale") == "simple"
    if found is None or found.get("locale") != effective.get("locale"):
        return False
    locale = LOCALE_DEFAULTS.get(str(effective["locale"]), {})
    return all(
        found.get(option, default) == effective[option]
        if option in effective
        else found.get(option, default) in (default, locale.get(option, default))
        for option, default in COLLATION_DEFAULTS.items()
    )


def _normal(keys: tuple[tuple[str, Direction], ...], options: Mapping[str, Any]) -> NormalIndex:
    plain = {
        name: _number(value)
        for name, value in options.items()
        if name not in _OWN_COMPARISON and value != OPTION_DEFAULTS.get(name)
    }
    partial, projection = options.get("partialFilterExpression"), options.get("wildcardProjection")
    return NormalIndex(
        keys=_normal_keys(keys),
        options=freeze(plain),
        partial_filter=None if partial is None else normal_filter(partial),
        projection=None if projection is None else freeze(_normal_projection(projection)),
        weights=_normal_weights(keys, options.get("weights")),
    )


def _normal_keys(keys: tuple[tuple[str, Direction], ...]) -> Keys:
    """Directions as 1 and -1; the order of text keys among themselves is irrelevant."""
    normal: list[tuple[str, int | str]] = []
    text: list[tuple[str, int | str]] = []
    for name, direction in keys:
        if direction == "text":
            if not text:
                normal.append(("$text", "text"))
            text.append((name, "text"))
        elif isinstance(direction, str):
            normal.append((name, direction))
        else:
            normal.append((name, -1 if direction < 0 else 1))
    return (*normal, *sorted(text))


def _normal_weights(
    keys: tuple[tuple[str, Direction], ...], weights: Mapping[str, Any] | None
) -> Frozen:
    text = {name for name, direction in keys if direction == "text"}
    if not text:
        return None
    return freeze(
        {name: _number((weights or {}).get(name, 1)) for name in text | set(weights or ())}
    )


def _normal_projection(projection: Mapping[str, Any], prefix: str = "") -> dict[str, bool]:
    """Dotted paths, and whether they are included; 5.0 lists booleans, nests the paths and adds
    ``_id: false``, which is what an absent ``_id`` means."""
    flat: dict[str, bool] = {}
    for name, value in projection.items():
        if isinstance(value, Mapping):
            flat |= _normal_projection(value, f"{prefix}{name}.")
        elif name != "_id" or prefix or value:
            flat[f"{prefix}{name}"] = bool(value)
    return flat


def _number(value: Any) -> Any:
    """Numbers by value: 2.0 and Int64(2) are 2; True stays True."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return value
