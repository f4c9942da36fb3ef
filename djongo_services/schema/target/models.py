"""The models whose documents are behind a connection."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from django.apps import apps
from django.apps.registry import Apps
from django.core.exceptions import ImproperlyConfigured
from django.db import connections as databases
from django.db import models, router

from djongo_services.conf import SETTING, settings
from djongo_services.connections import Connection
from djongo_services.embedded_models import is_embedded
from djongo_services.exceptions import DjongoServicesError
from djongo_services.schema.spec import CollectionSpec
from djongo_services.setting_values import REST
from djongo_services.translation import any_of, english
from djongo_services.translation import gettext as _

AnyModel: TypeAlias = "type[models.Model]"


class UnknownModel(DjongoServicesError):
    """The app or model does not exist."""


def models_of(connection: Connection) -> list[AnyModel]:
    """The connection's models, without proxies of models that are not among them.

    They are the models that the routers allow to migrate to the DATABASES alias which the
    connection shares, and those that ``SCHEMA["MODELS"]`` names for it. Raises ImproperlyConfigured
    if that names something that does not exist.
    """
    found = dict.fromkeys(migrated_models(connection.settings.database))
    for label in settings.schema.models.get(connection.alias, ()):
        found |= dict.fromkeys(_named(label))
    every = apps.get_models(include_auto_created=True)
    proxies = [
        model for model in every if model._meta.proxy and model._meta.concrete_model in found
    ]
    return [*found, *(proxy for proxy in proxies if proxy not in found)]


def nothing_chosen(connection: Connection) -> str:
    """Why no model has its documents behind the connection, and how to configure some."""
    alias, shared = connection.alias, connection.settings.database
    words = {
        "alias": alias,
        "shared": shared,
        "setting": f'{SETTING}["SCHEMA"]["MODELS"]',
        "example": f'{{"{alias}": ["app", "app.Model"]}}',
    }
    if shared:
        text = _(
            "No models are chosen for the connection %(alias)r and the routers send none to the "
            "DATABASES alias %(shared)r; list them in %(setting)s, such as %(example)s."
        )
    else:
        text = _(
            "No models are chosen for the connection %(alias)r; list them in %(setting)s, such as "
            "%(example)s."
        )
    return text % words


@english()  # For the system check: messages about settings are in English.
def check_labels() -> None:
    """Raise ImproperlyConfigured if ``MODELS`` or ``RULES`` names something that does not exist."""
    configured = settings.schema
    for labels in configured.models.values():
        for label in labels:
            _resolved("MODELS", label)
    for label in configured.rules:
        if label != REST:
            _resolved("RULES", label)


def select_specs(
    specs: Sequence[CollectionSpec], labels: Iterable[str]
) -> tuple[CollectionSpec, ...]:
    """The specs of the collections of these ``app`` and ``app.Model`` labels; without labels, all.

    Raises UnknownModel with similar names, or with the reason why a model is not there.
    """
    chosen = [_selected(specs, label) for label in labels]
    if not chosen:
        return tuple(specs)
    return tuple(spec for spec in specs if any(spec in some for some in chosen))


def migrated_models(alias: str | None, registry: Apps = apps) -> Iterator[AnyModel]:
    """The models whose collections ``migrate`` creates on the DATABASES alias, without proxies.

    ``registry`` is that of the project, or has the models at a point of the migrations.
    """
    if alias is None:
        return
    wrapper = databases[alias]
    for model in registry.get_models(include_auto_created=True):
        if (
            not is_embedded(model)
            and model._meta.can_migrate(wrapper)
            and router.allow_migrate_model(alias, model)
        ):
            yield model


def _named(label: str) -> Iterator[AnyModel]:
    app, model = _resolved("MODELS", label)
    if model is None:
        every = apps.get_app_config(app).get_models(include_auto_created=True)
        yield from (one for one in every if not (one._meta.proxy or is_embedded(one)))
        return
    concrete: Any = model._meta.concrete_model
    yield concrete
    for field in concrete._meta.local_many_to_many:
        if field.remote_field.through._meta.auto_created:
            yield field.remote_field.through


def _selected(specs: Sequence[CollectionSpec], label: str) -> list[CollectionSpec]:
    app, model = _found(label)
    if model is not None:
        found = [spec for spec in specs if model._meta.label in spec.models]
        what = model._meta.label
    else:
        found = [s for s in specs if any(one.startswith(f"{app}.") for one in s.models)]
        what = _("the app %(app)r") % {"app": app}
    if found:
        return found
    text = _(
        "No documents of %(what)s are kept behind this connection: routers send its models "
        "elsewhere, and %(setting)s does not name them."
    )
    raise UnknownModel(text % {"what": what, "setting": f'{SETTING}["SCHEMA"]["MODELS"]'})


def _resolved(key: str, label: str) -> tuple[str, AnyModel | None]:
    try:
        return _found(label)
    except UnknownModel as error:
        raise ImproperlyConfigured(f'{SETTING}["SCHEMA"]["{key}"]: {error}') from None


def _found(label: str) -> tuple[str, AnyModel | None]:
    """The app, and the model if the label names one."""
    app, _dot, name = label.partition(".")
    try:
        config = apps.get_app_config(app)
    except LookupError:
        close = _close(app, [config.label for config in apps.get_app_configs()])
        if close:
            text = _("There is no app %(app)r; did you mean %(close)s?")
        else:
            text = _("There is no app %(app)r.")
        raise UnknownModel(text % {"app": app, "close": close}) from None
    if not name:
        return app, None
    try:
        return app, config.get_model(name)
    except LookupError:
        models = config.get_models(include_auto_created=True)
        close = _close(name, [model.__name__ for model in models])
        if close:
            text = _("The app %(app)r has no model %(name)r; did you mean %(close)s?")
        else:
            text = _("The app %(app)r has no model %(name)r.")
        raise UnknownModel(text % {"app": app, "name": name, "close": close}) from None


def _close(name: str, known: Sequence[str]) -> str:
    """Names that may have been meant; empty for none."""
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3)
    return any_of([by_lower[one] for one in close]) if close else ""
