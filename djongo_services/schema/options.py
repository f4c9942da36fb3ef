"""How a collection is created and how strictly it validates: ``@collection_options(...)``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model

from djongo_services.conf import settings
from djongo_services.exceptions import DjongoServicesError
from djongo_services.schema.spec import Action, Level
from djongo_services.setting_values import RuleSet

M = TypeVar("M", bound=type[Model])

_ATTRIBUTE = "_djongo_services_collection_options"
_GRANULARITIES = ("seconds", "minutes", "hours")


class CollectionOptionsError(DjongoServicesError, ValueError):
    """The arguments of collection_options contradict each other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeSeries:
    """A time-series collection (MongoDB 5.0+); the fields are names of model fields."""

    time_field: str
    meta_field: str | None = None
    granularity: str | None = None
    """``seconds``, ``minutes`` or ``hours``; the server's default is seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionOptions:
    """The decorator's arguments, as stored on the model."""

    capped: bool = False
    size: int | None = None
    max: int | None = None
    time_series: TimeSeries | None = None
    clustered: bool = False
    expire_after: int | None = None
    collation: Mapping[str, Any] | None = None
    validation_level: Level | None = None
    validation_action: Action | None = None
    closed: bool = False
    view: bool = False
    rules: RuleSet | None = None
    """None means ``SCHEMA["RULES"]``."""


def collection_options(
    *,
    capped: bool = False,
    size: int | None = None,
    max: int | None = None,
    time_series: TimeSeries | str | None = None,
    clustered: bool = False,
    expire_after: dt.timedelta | int | None = None,
    collation: Mapping[str, Any] | None = None,
    validation_level: Level | None = None,
    validation_action: Action | None = None,
    closed: bool = False,
    view: bool = False,
    rules: RuleSet | None = None,
) -> Callable[[M], M]:
    """Define how the collection of a model class is created; the class itself is returned
    unchanged.

    ``size`` (bytes) and ``max`` (documents) limit a capped collection; ``time_series`` is a
    :class:`TimeSeries` or the name of its time field; ``clustered`` stores the documents in the
    order of ``_id`` (5.3+); ``expire_after`` (seconds or timedelta) removes old documents of a
    time-series or clustered collection; ``collation`` is the collection's default;
    ``validation_level`` and ``validation_action`` override the choice of ``syncmongoschema``;
    ``closed`` refuses keys that the models do not have; ``view`` means that the model reads a view,
    for which nothing is created or changed; ``rules`` is ``"database"``, ``"model"`` or ``"off"``,
    and overrides ``SCHEMA["RULES"]``. Options of an abstract base apply to its children unless they
    define their own.

    Raises CollectionOptionsError, a ValueError, if the arguments contradict each other.
    """
    series = TimeSeries(time_field=time_series) if isinstance(time_series, str) else time_series
    seconds = expire_after.total_seconds() if isinstance(expire_after, dt.timedelta) else None
    options = CollectionOptions(
        capped=capped,
        size=size,
        max=max,
        time_series=series,
        clustered=clustered,
        expire_after=expire_after if seconds is None else int(seconds),  # type: ignore[arg-type]
        collation=None if collation is None else dict(collation),
        validation_level=validation_level,
        validation_action=validation_action,
        closed=closed,
        view=view,
        rules=rules,
    )

    def decorate(model: M) -> M:
        if not (isinstance(model, type) and issubclass(model, Model)):
            raise CollectionOptionsError(f"collection_options decorates models, not {model!r}.")
        if (problem := _contradiction(options)) is not None:
            raise CollectionOptionsError(f"collection_options of {model._meta.label}: {problem}.")
        setattr(model, _ATTRIBUTE, options)
        return model

    return decorate


def options_of(model: type[Model]) -> CollectionOptions:
    """The model's own options, or those of the nearest abstract base."""
    for base in model.__mro__:
        found = vars(base).get(_ATTRIBUTE)
        if found is not None and (base is model or base._meta.abstract):  # type: ignore[attr-defined]
            options: CollectionOptions = found
            return options
    return CollectionOptions()


def take_options(model: type[Model]) -> None:
    """Give a model of a point in the migrations, which do not record options, those of the
    project's model with the same name."""
    try:
        real = apps.get_model(model._meta.label)
    except LookupError:
        return
    if real is not model:
        setattr(model, _ATTRIBUTE, options_of(real))


def rules_of(model: type[Model]) -> RuleSet:
    """What the model's validator enforces: by its own options, otherwise by ``SCHEMA["RULES"]``.

    The table of a ManyToManyField follows the model that has the field.
    """
    meta: Any = model._meta
    owner = meta.auto_created or model
    own = options_of(model).rules or options_of(owner).rules
    return own or settings.schema.rules_of(meta.label, owner._meta.label, meta.app_label)


def create_arguments(model: type[Model]) -> dict[str, Any]:
    """The model's options as arguments of the ``create`` command.

    Raises CollectionOptionsError if a field does not exist.
    """
    options = options_of(model)
    arguments: dict[str, Any] = {}
    if options.capped:
        arguments |= {"capped": True, "size": options.size}
        if options.max is not None:
            arguments["max"] = options.max
    if options.time_series is not None:
        arguments["timeseries"] = _time_series(model, options.time_series)
    if options.clustered:
        arguments["clusteredIndex"] = {"key": {"_id": 1}, "unique": True}
    if options.expire_after is not None:
        arguments["expireAfterSeconds"] = options.expire_after
    if options.collation is not None:
        arguments["collation"] = dict(options.collation)
    return arguments


def _time_series(model: type[Model], series: TimeSeries) -> dict[str, Any]:
    arguments = {"timeField": _column(model, series.time_field)}
    if series.meta_field is not None:
        arguments["metaField"] = _column(model, series.meta_field)
    if series.granularity is not None:
        arguments["granularity"] = series.granularity
    return arguments


def _column(model: type[Model], name: str) -> str:
    try:
        return str(model._meta.get_field(name).column)  # type: ignore[union-attr]
    except FieldDoesNotExist:
        raise CollectionOptionsError(
            f"collection_options of {model._meta.label}: the model has no field {name!r}."
        ) from None


def _contradiction(options: CollectionOptions) -> str | None:
    """What is wrong with the arguments, as a clause."""
    for problem in (_of_size, _of_kind, _of_expiry, _of_validation):
        if (said := problem(options)) is not None:
            return said
    if options.collation is not None and not isinstance(options.collation.get("locale"), str):
        return 'collation needs a "locale"'
    return None


def _of_size(options: CollectionOptions) -> str | None:
    for name in ("size", "max"):
        value = getattr(options, name)
        if value is None:
            continue
        if not options.capped:
            return f"{name} limits a capped collection only; add capped=True"
        if not _is_positive(value):
            return f"{name} must be a whole number above 0, not {value!r}"
    if options.capped and options.size is None:
        return "capped needs size, in bytes"
    return None


def _of_kind(options: CollectionOptions) -> str | None:
    names = ("view", "capped", "time_series", "clustered")
    kinds = [name for name in names if getattr(options, name)]
    if len(kinds) > 1:
        return f"a collection cannot be both {kinds[0]} and {kinds[1]}"
    if options.view and options.collation is not None:
        return "a view has the collation that it was created with"
    series: Any = options.time_series
    if series is not None and not isinstance(series, TimeSeries):
        return "time_series must be a TimeSeries or the name of its time field"
    if series is not None and series.granularity not in (None, *_GRANULARITIES):
        return f"granularity must be one of {', '.join(_GRANULARITIES)}, not {series.granularity!r}"
    return None


def _of_expiry(options: CollectionOptions) -> str | None:
    if options.expire_after is None:
        return None
    if not _is_positive(options.expire_after):
        return f"expire_after must be seconds above 0 or a timedelta, not {options.expire_after!r}"
    if options.time_series is None and not options.clustered:
        return "expire_after needs time_series or clustered; use a TTLIndex elsewhere"
    return None


def _of_validation(options: CollectionOptions) -> str | None:
    choices = {
        "validation_level": get_args(Level),
        "validation_action": get_args(Action),
        "rules": get_args(RuleSet),
    }
    for name, allowed in choices.items():
        value = getattr(options, name)
        if value is not None and value not in allowed:
            return f"{name} must be one of {', '.join(allowed)}, not {value!r}"
    demands = options.closed or options.validation_level or options.rules not in (None, "off")
    if options.time_series is not None and demands:
        return "a time-series collection cannot have a validator"
    if options.view and demands:
        return "a view cannot have a validator"
    return None


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
